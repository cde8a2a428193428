// Counts down the seconds of an Apply that waits for its confirmation. Without it the page says them once, and the page
// of the countdown refreshes itself; with it nothing is loaded anew while somebody reads or is about to press a button.
"use strict";

(() => {
  const LOOK_MS = 5000;

  function countDown(timer) {
    const digits = timer.querySelector(".digits");
    let endsAt = performance.now() + Number(timer.dataset.seconds) * 1000;

    function show() {
      const left = Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
      digits.textContent = String(left);
      if (left === 0) {
        clearInterval(ticking);
        timer.textContent = timer.dataset.over;
      }
    }

    const ticking = setInterval(show, 250);
    return (seconds) => {
      endsAt = performance.now() + Number(seconds) * 1000;
    };
  }

  // The page of the countdown: look whether it still is as it says, and load it anew if it is not.
  function lookAgain(page, setSeconds) {
    setInterval(async () => {
      if (document.hidden) {
        return;
      }
      try {
        const answer = await fetch(page.dataset.look, { redirect: "manual", cache: "no-store" });
        const text = answer.ok ? await answer.text() : "";
        const found = new DOMParser().parseFromString(text, "text/html");
        const now = found.querySelector("[data-look]");
        if (now === null || now.dataset.state !== page.dataset.state) {
          location.replace(page.dataset.look);
          return;
        }
        const timer = found.querySelector("[data-seconds]");
        if (timer !== null && setSeconds !== null) {
          setSeconds(timer.dataset.seconds);
        }
      } catch {
        // The GUI does not answer just now: the next look may find it.
      }
    }, LOOK_MS);
  }

  const timer = document.querySelector("[data-seconds]");
  const page = document.querySelector("[data-look]");
  const setSeconds = timer === null ? null : countDown(timer);
  if (page !== null) {
    lookAgain(page, setSeconds);
  }
})();
