"""The addresses of the original GUI, for bookmarks and manuals: each leads to the page that took its place.

Only reading is redirected: the originals also changed things by plain links, and those do nothing here. Positions in
the file (`selected_host=2`) are turned into the block that stands there now.
"""

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from piranha.config.path import BlockPath, written
from piranha.web.client import opened

blueprint = Blueprint("old_addresses", __name__)

PAGES = {
    "/index.html": "pages.welcome",
    "/piranha/": "pages.welcome",
    "/about_login.php": "pages.about_login",
    "/docs.html": "pages.about_login",
    "/secure/": "monitor.control",
    "/secure/control.php": "monitor.control",
    "/secure/passwd.php": "monitor.password",
    "/secure/global_settings.php": "global_settings.show",
    "/secure/redundancy.php": "redundancy.show",
    "/secure/virtual_main.php": "virtual_servers.show_all",
    "/secure/introduction.html": "pages.introduction",
    "/secure/help.php": "pages.help_page",
    "/secure/lvserror.php": "monitor.control",
    "/secure/failover.php": "virtual_servers.show_all",
    "/secure/failover_main.php": "virtual_servers.show_all",
    "/secure/failover_edit.php": "virtual_servers.show_all",
}
VIRTUAL_PAGES = {
    "/secure/virtual_edit_virt.php": "virtual_servers.show",
    "/secure/virtual_edit_real.php": "real_servers.show_all",
    "/secure/virtual_edit_services.php": "monitoring_scripts.show",
}


def _whole_page() -> ResponseReturnValue:
    return redirect(url_for(PAGES[request.path]), 301)


def _virtual_page() -> ResponseReturnValue:
    steps = _standing_at((), "virtual", "selected_host")
    if steps is None:
        return redirect(url_for("virtual_servers.show_all"), 303)
    return redirect(url_for(VIRTUAL_PAGES[request.path], virtual=written(steps)), 303)


def _standing_at(parent: BlockPath, kind: str, argument: str) -> BlockPath | None:
    """Return the block at the 1-based position that an argument names."""
    found = [steps for steps in opened().document.blocks(parent) if steps[-1].kind == kind]
    place = request.args.get(argument, "")
    if not (place.isascii() and place.isdecimal() and len(place) < 7 and 1 <= int(place) <= len(found)):
        return None
    return found[int(place) - 1]


@blueprint.get("/secure/virtual_edit_real_edit.php")
def real_server_page() -> ResponseReturnValue:
    """Lead to the form of a real server."""
    virtual = _standing_at((), "virtual", "selected_host")
    if virtual is None:
        return redirect(url_for("virtual_servers.show_all"), 303)
    real = _standing_at(virtual, "server", "selected")
    if real is None:
        return redirect(url_for("real_servers.show_all", virtual=written(virtual)), 303)
    return redirect(url_for("real_servers.show", server=written(real)), 303)


for _path in PAGES:
    blueprint.add_url_rule(_path, f"page{_path}".replace(".", "_"), _whole_page, methods=["GET"])
for _path in VIRTUAL_PAGES:
    blueprint.add_url_rule(_path, f"page{_path}".replace(".", "_"), _virtual_page, methods=["GET"])
