"""The pages around the panels: welcome, help with the log-in, introduction, help, and making an lvs.cf."""

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from piranha.config.model import Forwarding
from piranha.web.arp_help import VIPS_SHOWN, Cures, cures_of
from piranha.web.client import NoConfig, engine, opened, read_again
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
    """Show every field with its help, made of the same table as the forms.

    With direct routing the ARP cures are written out for the addresses of lvs.cf, or of the virtual server asked for.
    """
    cures = _cures(request.args.get("virtual", ""))
    return render_template("help.html", chapters=CHAPTERS, cures=cures[:VIPS_SHOWN], cures_in_all=len(cures))


def _cures(path: str) -> list[Cures]:
    try:
        understood = opened().understood
    except NoConfig:
        return []  # the banner says so
    cluster = understood.loaded.cluster
    if cluster.forwarding is not Forwarding.DIRECT:
        return []
    return cures_of(cluster, path) if path else understood.once("ARP cures", lambda: cures_of(cluster))


@blueprint.post("/secure/create")
def create() -> ResponseReturnValue:
    """Make an empty lvs.cf where there is none."""
    engine().create()
    read_again()
    flash(_("lvs.cf is created. Start with the global settings."), "success")
    return redirect(url_for("global_settings.show"), 303)
