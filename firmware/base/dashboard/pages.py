"""Every page: its path, its method, the least that its visitor must be, and what answers."""

from firmware.base.dashboard import entrance, live, one_unit, pictures, places, review, units
from firmware.base.dashboard.roles import ADMIN, COMMAND, EVERYBODY, PEOPLE, REVIEW
from firmware.base.dashboard.visit import Page

PAGES = (
    Page("/login", "GET", None, entrance.login_form),
    Page("/login", "POST", None, entrance.login),
    Page("/logout", "POST", EVERYBODY, entrance.logout),
    Page("/look", "POST", EVERYBODY, entrance.look),
    Page("/audit", "GET", ADMIN, entrance.audit),
    Page("/", "GET", EVERYBODY, live.sightings_page),
    Page("/live", "GET", EVERYBODY, live.stream),
    Page("/event/{number:int}", "GET", EVERYBODY, live.event),
    Page("/picture/{number:int}/{shot}/{size}", "GET", EVERYBODY, pictures.picture),
    Page("/event/{number:int}/people", "POST", PEOPLE, pictures.show_people),
    Page("/event/{number:int}/frame", "POST", COMMAND, review.ask_frame),
    Page("/review", "GET", REVIEW, review.queue),
    Page("/event/{number:int}/review", "POST", REVIEW, review.say),
    Page("/event/{number:int}/undo", "POST", REVIEW, review.undo),
    Page("/units", "GET", EVERYBODY, units.units),
    Page("/unit/{unit}", "GET", EVERYBODY, one_unit.unit),
    Page("/map", "GET", EVERYBODY, places.map_page),
)
