// Refreshes CONTROL/MONITORING in place: fetches what changes every few seconds while the page is looked at. Without it
// the page loads itself anew, which needs no script. What somebody is about to press or to choose stays where it is.
"use strict";

(() => {
  const polling = document.getElementById("polling");
  const PARTS = ["state", "read-at", "live"];
  let isAsking = false;
  let ticking = 0;

  // What an element is, told so that its successor can be found.
  function nameOf(element) {
    if (element.id) {
      return `#${CSS.escape(element.id)}`;
    }
    const name = element.getAttribute("name");
    if (name !== null) {
      const value = element.getAttribute("value") || "";
      return `${element.localName}[name="${CSS.escape(name)}"][value="${CSS.escape(value)}"]`;
    }
    const href = element.getAttribute("href");
    return href === null ? "" : `a[href="${CSS.escape(href)}"]`;
  }

  function replace(part, found) {
    const here = document.getElementById(part);
    const there = found.getElementById(part);
    if (here === null || there === null) {
      return;
    }
    const focused = here.contains(document.activeElement) ? nameOf(document.activeElement) : "";
    const scrolled = [...here.querySelectorAll(".wide")].map((each) => each.scrollLeft);
    const pictures = new Map([...here.querySelectorAll("img")].map((each) => [each.getAttribute("src"), each]));
    const fresh = document.importNode(there, true);
    for (const picture of fresh.querySelectorAll("img")) {
      const same = pictures.get(picture.getAttribute("src"));
      if (same !== undefined) {
        picture.replaceWith(same);
      }
    }
    here.replaceChildren(...fresh.childNodes);
    [...here.querySelectorAll(".wide")].forEach((each, place) => {
      each.scrollLeft = scrolled[place] || 0;
    });
    if (focused !== "") {
      const again = here.querySelector(focused);
      if (again !== null) {
        again.focus({ preventScroll: true });
      }
    }
  }

  // Somebody who marks text in the table wants to copy it.
  function isMarking() {
    const marked = document.getSelection();
    const live = document.getElementById("live");
    return marked !== null && !marked.isCollapsed && live !== null && live.contains(marked.anchorNode);
  }

  function say(sentence) {
    if (polling.textContent !== sentence) {
      polling.textContent = sentence;
    }
    polling.hidden = sentence === "";
  }

  function end() {
    clearInterval(ticking);
    say(`${polling.dataset.ended} `);
    const link = document.createElement("a");
    link.href = polling.dataset.logInUrl;
    link.textContent = polling.dataset.logIn;
    polling.append(link);
  }

  async function look() {
    if (document.hidden || isAsking || isMarking()) {
      return;
    }
    isAsking = true;
    try {
      const answer = await fetch(polling.dataset.url, { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) {
        end();
        return;
      }
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      const y = window.scrollY;
      PARTS.forEach((part) => replace(part, found));
      window.scrollTo(window.scrollX, y);
      say("");
    } catch {
      say(polling.dataset.silent);
    } finally {
      isAsking = false;
    }
  }

  if (polling !== null) {
    ticking = setInterval(look, Number(polling.dataset.seconds) * 1000);
    document.addEventListener("visibilitychange", look);
  }
})();
