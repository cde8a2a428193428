"""piranha-passwd: set the password of the GUI's user (manual 2.2)."""

import getpass
import sys
import warnings

import click

from piranha import passwords
from piranha.errors import PiranhaError
from piranha.paths import from_environment
from piranha.system.passwd_file import must_be_root, store


@click.command(name="piranha-passwd", options_metavar="[OPTIONS]")
@click.option(
    "--root",
    metavar="DIR",
    help="Prefix of all files, for tests and the demo.  [default: PIRANHA_ROOT, else /]",
)
@click.option("--allow-weak", is_flag=True, help="Take a password that is short or easy to guess.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from one line of standard input.")
@click.argument("words", nargs=-1, metavar="")
def main(root: str | None, allow_weak: bool, from_stdin: bool, words: tuple[str, ...]) -> None:
    """Set the password of the user "piranha" of the Piranha Configuration Tool.

    Asks for it twice, without showing it. It holds from the GUI's next request on; who is logged in must log
    in again.

    Exit status: 0 set; 1 refused, nothing changed; 2 wrong use.
    """
    if words:
        raise click.UsageError(
            "The password is not taken from the command line: every user could read it in the list of "
            "processes, and the shell keeps it in its history. Call piranha-passwd without it and type it when "
            "asked, or use --stdin. Change that password if it is in use somewhere."
        )
    paths = from_environment(root)
    refused = must_be_root(paths)
    if refused:
        raise click.ClickException(refused)
    password = _line() if from_stdin else _asked_twice()
    refused = passwords.unusable(password)
    if refused:
        raise click.ClickException(f"{refused} Nothing was changed.")
    weak = passwords.weakness(password)
    if weak and not allow_weak:
        raise click.ClickException(f"{weak} Nothing was changed; --allow-weak takes it all the same.")
    try:
        store(paths, passwords.USER, password)
    except PiranhaError as error:
        raise click.ClickException(str(error)) from error
    if weak:
        click.echo(f"Warning: {weak}", err=True)
    click.echo(f"The password of user {passwords.USER} is set in {paths.passwd}.")


def _asked_twice() -> str:
    password = _asked("New password: ")
    if password != _asked("New password again: "):
        raise click.ClickException("Passwords do not match. Nothing was changed.")
    return password


def _asked(prompt: str) -> str:
    with warnings.catch_warnings():
        # Without a terminal getpass would warn and read a visible password from standard input.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except getpass.GetPassWarning:
            raise click.ClickException("There is no terminal to ask on. Use --stdin.") from None
        except (EOFError, KeyboardInterrupt):
            click.echo(err=True)
            raise click.ClickException("Nothing was changed.") from None


def _line() -> str:
    # One line: a password never has a line end, and `echo` adds one.
    data = sys.stdin.buffer.readline(4 * passwords.LENGTH_MAX + 2)
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise click.ClickException("The password is not UTF-8. Nothing was changed.") from None


if __name__ == "__main__":
    main()
