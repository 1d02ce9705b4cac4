"""Ids of the components that callbacks and page modules name. A test holds that layouts and callbacks agree.

The browser modules of `layouts/assets/desk` and `layouts/assets/wall` use the same words.
"""

from __future__ import annotations

from typing import Final

# shell
URL: Final = "url"
PAGE: Final = "page"
TOASTS: Final = "toasts"

# desk: what is selected, what was pressed, what is shown
DESK_GRID: Final = "desk-grid"
DESK_MAP: Final = "desk-map"
DESK_SELECTED: Final = "desk-selected"
DESK_SHOWN: Final = "desk-shown"
DESK_PRESS: Final = "desk-press"
DESK_FOLLOW: Final = "desk-follow"
DESK_DRAWER: Final = "desk-drawer"
DESK_HEAD: Final = "desk-head"
DESK_FACTS: Final = "desk-facts"
DESK_DISPATCH: Final = "desk-dispatch"
DESK_SOURCES: Final = "desk-sources"
DESK_CHART: Final = "desk-chart"
DESK_PHOTOS: Final = "desk-photos"
DESK_TIMELINE: Final = "desk-timeline"
DESK_ACTIONS: Final = "desk-actions"
DESK_ACT: Final = "desk-act"
DESK_ACT_REASON: Final = "desk-act-reason"
DESK_ACT_CLASS: Final = "desk-act-class"
DESK_ACT_LEVEL: Final = "desk-act-level"
DESK_PERSONS: Final = "desk-persons"
DESK_UNMASK: Final = "desk-unmask"
DESK_KEYS: Final = "desk-keys"
DESK_BATCH: Final = "desk-batch"
DESK_BATCH_BAR: Final = "desk-batch-bar"
DESK_BATCH_REASON: Final = "desk-batch-reason"
DESK_COMPARE: Final = "desk-compare"
DESK_ASSIST: Final = "desk-assist"
DESK_ASSISTING: Final = "desk-assisting"
DESK_ACT_UNITS: Final = "desk-act-units"
DESK_ACT_UNIT: Final = "desk-act-unit"
DESK_ACT_ADVICE: Final = "desk-act-advice"
DESK_ACT_STANDARD: Final = "desk-act-standard"
DESK_ACT_UNTIL: Final = "desk-act-until"
DESK_ACT_DEGREE: Final = "desk-act-degree"
DESK_ACT_HOURS: Final = "desk-act-hours"
DESK_ACT_AGAINST: Final = "desk-act-against"
DESK_ACT_SATISFACTION: Final = "desk-act-satisfaction"
DESK_TILES: Final = "desk-tiles"
DESK_SEARCH: Final = "desk-search"
DESK_SEARCH_ASK: Final = "desk-search-ask"
DESK_FOUND: Final = "desk-found"
RECORDS: Final = "records"
RECORDS_ASK: Final = "records-ask"
RECORDS_BODY: Final = "records-body"
DEVICE_ASK: Final = "device-ask"
DEVICE_BODY: Final = "device-body"

# intake 接报
INTAKE: Final = "intake"
INTAKE_TYPED: Final = "intake-typed"
INTAKE_TEXT: Final = "intake-text"
INTAKE_CLASS: Final = "intake-class"
INTAKE_SUGGEST: Final = "intake-suggest"
INTAKE_LEVEL: Final = "intake-level"
INTAKE_NAME: Final = "intake-name"
INTAKE_PHONE: Final = "intake-phone"
INTAKE_ADDRESS: Final = "intake-address"
INTAKE_PLACE_TYPED: Final = "intake-place-typed"
INTAKE_PLACES: Final = "intake-places"
INTAKE_POINT: Final = "intake-point"
INTAKE_WHERE: Final = "intake-where"
INTAKE_SIMILAR: Final = "intake-similar"
INTAKE_KEY: Final = "intake-key"
INTAKE_SUBMIT: Final = "intake-submit"
INTAKE_FILED: Final = "intake-filed"

# leader
LEADER_PRESS: Final = "leader-press"
LEADER_BOARD_ASK: Final = "leader-board-ask"
LEADER_UNKNOWN: Final = "leader-unknown"
LEADER_WAITING: Final = "leader-waiting"
LEADER_CASES: Final = "leader-cases"
LEADER_CASES_NOTE: Final = "leader-cases-note"
LEADER_REASON: Final = "leader-reason"

# wall
WALL_MAP: Final = "wall-map"
WALL_RECORDS_ASK: Final = "wall-records-ask"
WALL_RECORDS_BODY: Final = "wall-records-body"
WALL_TRENDS: Final = tuple(f"wall-trend-{n}" for n in range(3))

# ops
OPS_TAB: Final = "ops-tab"
OPS_GRID: Final = "ops-grid"
OPS_MISMATCHES: Final = "ops-mismatches"
OPS_ASK: Final = "ops-ask"
OPS_BODY: Final = "ops-body"
OPS_PRESS: Final = "ops-press"
OPS_SIDE: Final = "ops-side"
OPS_DETAIL_ASK: Final = "ops-detail-ask"
OPS_VALUE: Final = "ops-value"
OPS_REASON: Final = "ops-reason"
OPS_FIX: Final = "ops-fix"
OPS_EDITOR: Final = "ops-editor"
OPS_LOSS: Final = "ops-loss"
OPS_LOSS_REASON: Final = "ops-loss-reason"
OPS_LOSS_PRESS: Final = "ops-loss-press"

# ops: the form of a feed
FEED_FORM: Final = "feed-form"
FEED_EDIT: Final = "feed-edit"
FEED_PRESS: Final = "feed-press"
FEED_HEAD: Final = "feed-head"
FEED_RESULT: Final = "feed-result"
FEED_ID: Final = "feed-id"
FEED_NAME: Final = "feed-name"
FEED_OWNER: Final = "feed-owner"
FEED_KIND: Final = "feed-kind"
FEED_PERIOD: Final = "feed-period"
FEED_CONFIG: Final = "feed-config"
FEED_SECRETS: Final = "feed-secrets"
FEED_MAPPING: Final = "feed-mapping"
FEED_SAMPLE: Final = "feed-sample"
FEED_RESTART: Final = "feed-restart"
FEED_REASON: Final = "feed-reason"
# devices
DEVICES_GRID: Final = "devices-grid"
DEVICES_ASK: Final = "devices-ask"
DEVICES_BODY: Final = "devices-body"
DEVICES_SIDE: Final = "devices-side"
DEVICES_SEARCH: Final = "devices-search"
DEVICES_TYPE: Final = "devices-type"
DEVICES_STATUS: Final = "devices-status"
DEVICES_EDIT: Final = "devices-edit"
DEVICES_FORM: Final = "devices-form"
DEVICES_REASON: Final = "devices-reason"
DEVICES_PRESS: Final = "devices-press"
DEVICES_UPLOAD: Final = "devices-upload"
DEVICES_PREVIEW: Final = "devices-preview"
DEVICES_CONFIRM: Final = "devices-confirm"

# admin
ADMIN_GRID: Final = "admin-grid"
ADMIN_SEARCH: Final = "admin-search"
ADMIN_ASK: Final = "admin-ask"
ADMIN_BODY: Final = "admin-body"
ADMIN_FORM: Final = "admin-form"
ADMIN_EDIT: Final = "admin-edit"
ADMIN_PRESS: Final = "admin-press"
ADMIN_SECRET: Final = "admin-secret"  # noqa: S105 - an id
ADMIN_LOGIN: Final = "admin-login"
ADMIN_NAME: Final = "admin-name"
ADMIN_ROLE: Final = "admin-role"
ADMIN_UNIT: Final = "admin-unit"
ADMIN_AREAS: Final = "admin-areas"
ADMIN_CODE: Final = "admin-code"
ADMIN_KIND: Final = "admin-kind"
ADMIN_PHONE: Final = "admin-phone"
ADMIN_AREA: Final = "admin-area"
ADMIN_PARENT: Final = "admin-parent"
ADMIN_LEVEL: Final = "admin-level"

ROUTING_STATE: Final = "routing-state"
ROUTING_ASK: Final = "routing-ask"
ROUTING_PRESS: Final = "routing-press"
ROUTING_REASON: Final = "routing-reason"
ROUTING_UPLOAD: Final = "routing-upload"
ROUTING_PREVIEW: Final = "routing-preview"
ROUTING_KEEP: Final = "routing-keep"
ROUTING_TABLE: Final = "routing-table"
ROUTING_KIND: Final = "routing-kind"
ROUTING_PERIOD: Final = "routing-period"
ROUTING_BEGINS: Final = "routing-begins"
ROUTING_LAST: Final = "routing-last"
ROUTING_UNIT: Final = "routing-unit"
ROUTING_CAPACITY: Final = "routing-capacity"
ROUTING_FORM: Final = {
    "reason": (ROUTING_REASON, "value"),
    "kind": (ROUTING_KIND, "value"),
    "period": (ROUTING_PERIOD, "value"),
    "begins": (ROUTING_BEGINS, "date"),
    "last": (ROUTING_LAST, "date"),
    "unit": (ROUTING_UNIT, "value"),
    "capacity": (ROUTING_CAPACITY, "value"),
}
"""What stands in the forms of the routing page → its field, and the field's property."""
BACKTEST_ASK: Final = "backtest-ask"
BACKTEST_RESULT: Final = "backtest-result"
BACKTEST_CASES: Final = "backtest-cases"
BACKTEST_BEHIND: Final = "backtest-behind"
PLACES_LIST: Final = "places-list"
PLACES_TOLD: Final = "places-told"
PLACES_FORM: Final = "places-form"
PLACES_MAP: Final = "places-map"
PLACES_LON: Final = "places-lon"
PLACES_LAT: Final = "places-lat"
PLACES_ADDRESS: Final = "places-address"
PLACES_REASON: Final = "places-reason"
PLACES_SAVE: Final = "places-save"
PLACES_CHOSEN: Final = "places-chosen"
PLACES_AGAIN: Final = "places-again"
REPLIES_LIST: Final = "replies-list"
REPLIES_SAY: Final = "replies-say"
REPLIES_FORM: Final = "replies-form"
REPLIES_CHOSEN: Final = "replies-chosen"
REPLIES_AGAIN: Final = "replies-again"
REPLIES_REASON: Final = "replies-reason"
REPLIES_SHOW: Final = "replies-show"
REPLIES_PEOPLE: Final = "replies-people"
REPLIES_NOTE: Final = "replies-note"
REPLIES_TOLD: Final = "replies-told"
REPLIES_UNREACHED: Final = "replies-unreached"

EVALUATION_BEGIN: Final = "evaluation-begin"
EVALUATION_END: Final = "evaluation-end"
EVALUATION_BY: Final = "evaluation-by"
EVALUATION_TOTAL: Final = "evaluation-total"
EVALUATION_GROUPS: Final = "evaluation-groups"
EVALUATION_CASES: Final = "evaluation-cases"
EVALUATION_BEHIND: Final = "evaluation-behind"
EVALUATION_LOOK: Final = "evaluation-look"
FORMULAS_BODY: Final = "formulas-body"
FORMULAS_ASK: Final = "formulas-ask"
FORMULAS_EDIT: Final = "formulas-edit"
FORMULAS_PRESS: Final = "formulas-press"
FORMULA_SINCE: Final = "formula-since"
FORMULA_UNTIL: Final = "formula-until"
SCORE_WEIGHTS: Final = "score-weights"
SCORE_SINCE: Final = "score-since"
SCORE_REASON: Final = "score-reason"

CATALOGUE_LIST: Final = "catalogue-list"
CATALOGUE_BODY: Final = "catalogue-body"
CATALOGUE_GRID: Final = "catalogue-grid"
CATALOGUE_SEARCH: Final = "catalogue-search"
CATALOGUE_SIDE: Final = "catalogue-side"
CATALOGUE_FORM: Final = "catalogue-form"
CATALOGUE_UPLOAD: Final = "catalogue-upload"
CATALOGUE_PREVIEW: Final = "catalogue-preview"
CATALOGUE_NAME: Final = "catalogue-name"
CATALOGUE_REVISED: Final = "catalogue-revised"
CATALOGUE_ASK: Final = "catalogue-ask"
CATALOGUE_EDIT: Final = "catalogue-edit"
CATALOGUE_PRESS: Final = "catalogue-press"

LEADER_NOW: Final = "leader-now"
LEADER_NOW_ROWS: Final = "leader-now-rows"
LEADER_NOW_DIALOG: Final = "leader-now-dialog"
VITALS_BODY: Final = "vitals-body"
VITALS_SIDE: Final = "vitals-side"
VITALS_ASK: Final = "vitals-ask"
VITALS_LOOK: Final = "vitals-look"

DESK_FORM: Final = {
    "reason": (DESK_ACT_REASON, "value"),
    "class": (DESK_ACT_CLASS, "value"),
    "level": (DESK_ACT_LEVEL, "value"),
    "standard": (DESK_ACT_STANDARD, "value"),
    "unit": (DESK_ACT_UNIT, "value"),
    "assisting": (DESK_ASSISTING, "value"),
    "units": (DESK_ACT_UNITS, "value"),
    "until": (DESK_ACT_UNTIL, "date"),
    "degree": (DESK_ACT_DEGREE, "value"),
    "hours": (DESK_ACT_HOURS, "value"),
    "against": (DESK_ACT_AGAINST, "value"),
    "satisfaction": (DESK_ACT_SATISFACTION, "value"),
}
"""Particular of a step → its field on the desk, and the field's property."""
