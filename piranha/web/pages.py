"""The pages around the panels: welcome, help with the log-in, introduction, help, and making an lvs.cf."""

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from piranha.web.client import engine, read_again
from piranha.web.forms import Control
from piranha.web.panels import (
    GLOBAL_CONTROLS,
    REAL_CONTROLS,
    REDUNDANCY_CONTROLS,
    SCRIPT_CONTROLS,
    VIRTUAL_CONTROLS,
)
from piranha.web.texts import _

blueprint = Blueprint("pages", __name__)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One panel on the help page."""

    anchor: str
    title: str
    controls: tuple[Control, ...]


CHAPTERS = (
    Chapter("global_settings", "GLOBAL SETTINGS", GLOBAL_CONTROLS),
    Chapter("redundancy", "REDUNDANCY", REDUNDANCY_CONTROLS),
    Chapter("virtual_server", "VIRTUAL SERVERS: VIRTUAL SERVER", VIRTUAL_CONTROLS),
    Chapter("real_server", "VIRTUAL SERVERS: REAL SERVER", REAL_CONTROLS),
    Chapter("monitoring_scripts", "VIRTUAL SERVERS: MONITORING SCRIPTS", SCRIPT_CONTROLS),
)


@blueprint.get("/")
def welcome() -> ResponseReturnValue:
    """Welcome; nothing of the configuration is seen here."""
    return render_template("welcome.html")


@blueprint.get("/about_login")
def about_login() -> ResponseReturnValue:
    """Help with logging in."""
    return render_template("about_login.html")


@blueprint.get("/secure/introduction")
def introduction() -> ResponseReturnValue:
    """Say what each panel is for."""
    return render_template("introduction.html")


@blueprint.get("/secure/help")
def help_page() -> ResponseReturnValue:
    """Show every field with its help, made of the same table as the forms."""
    return render_template("help.html", chapters=CHAPTERS)


@blueprint.post("/secure/create")
def create() -> ResponseReturnValue:
    """Make an empty lvs.cf where there is none."""
    engine().create()
    read_again()
    flash(_("lvs.cf is created. Start with the global settings."), "success")
    return redirect(url_for("global_settings.show"), 303)
