"""A source's record → messages of ours, by a mapping that is data. Pure.

A mapping is a JSON object (docs/feeds.md):

- `topic`: one of the input topics, or a rule that gives one;
- `each` (may be absent): JMESPath to a list in the record; each element, called a part, gives one message;
- `id` (may be absent): a rule; the source's own id of the record (or part). It makes a repetition a duplicate;
- `time`: a rule for the envelope's time;
- `data`: a tree shaped as the topic's `data` (docs/topics.md) with a rule at each leaf. A list (`readings`) is a list
  of trees, or `{"each": JMESPath, "item": tree}`.

A rule is a plain value, or an object with exactly one source — `path` (JMESPath), `const`, `template` (text with
`{JMESPath}` in it), `record` ("time": when the transport says it was made; "id") — and perhaps: `table` (look-up),
`times` and `plus` (value × times + plus), `format` and `zone` (of times), `otherwise` (when there is no value),
`optional` (then the field, or the whole reading, is left out), `whole` (the path starts at the record, not the part).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError
from msgspec import inspect as shapes

from gis.crs import TO_WGS84
from incidents.ports import Outgoing
from streams import topics
from streams.envelope import DATA_OF_TOPIC, Bad, decode, encode, key_of
from streams.feed.recording import MISSING, parse_time
from streams.feeds.port import BadRaw, RawRecord

DEFAULT_ZONE: Final = "Asia/Shanghai"
LONGEST_EXPRESSION: Final = 500
MOST_PARTS: Final = 10_000
"""Messages of one record: more is no record but a dump, to be read by pages."""
MOST_FAULTS: Final = 50

_SOURCES: Final = ("path", "const", "template", "record")
_MODIFIERS: Final = ("table", "times", "plus", "format", "zone", "otherwise", "optional", "whole")
_EPOCHS: Final = ("epoch_s", "epoch_ms")
_RECORD: Final = ("time", "id")
_SLOT: Final = re.compile(r"\{([^{}]+)\}")
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a mapping."""

    field: str
    found: str
    rule: str

    def __str__(self) -> str:
        return f"{self.field}={self.found!r}: {self.rule}"


class BadMapping(ValueError):
    """A mapping that cannot be used: every fault with field, value and rule."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults[:MOST_FAULTS])
        super().__init__("; ".join(str(f) for f in self.faults))


class BadRecord(Exception):
    """A record that the mapping cannot turn into a message."""

    def __init__(self, field: str, found: object, rule: str) -> None:
        self.field = field
        self.found = _shown(found)
        self.rule = rule
        super().__init__(f"{field}={self.found!r}: {rule}")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A message for the bus."""

    topic: str
    key: str
    id: str
    value: bytes


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text.encode("utf-8", "backslashreplace").decode()[:200]


# -- values ---------------------------------------------------------------------------------------------------


def is_missing(value: object) -> bool:
    """None, an empty text, or one of the words by which sources say that there is no value."""
    return value is None or (isinstance(value, str) and value.strip().lower() in MISSING)


def as_text(field: str, value: object) -> str:
    """Text of a scalar; 12.0 (as spreadsheets store a 12) is "12"."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise BadRecord(field, value, "must be a text or a number")


def as_number(field: str, value: object) -> float:
    """A finite number; −0 is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadRecord(field, value, "must be a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise BadRecord(field, value, "must be a number") from None
    if not math.isfinite(number) or (isinstance(value, str) and "_" in value):
        raise BadRecord(field, value, "must be a finite number")
    return number + 0.0


def as_whole(field: str, value: object) -> int:
    """A whole number; 3.0 and "3" are."""
    number = as_number(field, value)
    if not number.is_integer():
        raise BadRecord(field, value, "must be a whole number")
    return value if isinstance(value, int) else int(number)


def as_truth(field: str, value: object) -> bool:
    """true or false, also as 1/0, "true"/"false", 是/否."""
    if isinstance(value, bool):
        return value
    text = as_text(field, value).lower()
    if text in ("true", "1", "yes", "y", "是"):
        return True
    if text in ("false", "0", "no", "n", "否"):
        return False
    raise BadRecord(field, value, "must be true or false")


def as_time(field: str, value: object, form: str, zone: tzinfo) -> datetime:
    """A moment, aware, UTC. Without `form`: ISO 8601, "2026/11/26 8:05", epoch seconds or milliseconds."""
    try:
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if form in _EPOCHS or (number and not form):
            moment = as_number(field, value)
            in_ms = form == "epoch_ms" or (not form and abs(moment) >= 1e11)
            return datetime.fromtimestamp(moment / 1000 if in_ms else moment, UTC)
        text = as_text(field, value)
        if not form:
            return parse_time(text, zone)
        found = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is put in on the next line
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        rule = f"must be a time ({form or 'ISO 8601, 2026/11/26 8:05, or epoch seconds or milliseconds'})"
        raise BadRecord(field, value, rule) from None


def rfc3339(moment: datetime) -> str:
    """As envelopes carry it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


# -- rules ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where paths look: the part, the record it is of, and the raw record itself."""

    part: Any
    record: RawRecord


_ABSENT: Final = object()
"""A value that is not there and need not be."""

Maker = Callable[[_Scope], Any]
"""Makes a value, or _ABSENT. Raises BadRecord."""


def expression(field: str, text: object, faults: list[Fault]) -> Callable[[Any], Any]:
    """A compiled JMESPath; what is wrong goes to `faults`."""
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_EXPRESSION:
        rule = f"must be a JMESPath of at most {LONGEST_EXPRESSION} characters"
        faults.append(Fault(field, _shown(text), rule))
        return lambda part: None
    try:
        compiled = jmespath.compile(text)
    except (JMESPathError, RecursionError, ValueError) as error:
        faults.append(Fault(field, _shown(text), f"must be a JMESPath: {_shown(str(error).splitlines()[0])}"))
        return lambda part: None

    def search(part: Any) -> Any:
        try:
            return compiled.search(part)
        except (JMESPathError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise BadRecord(field, text, f"the path fails on this record: {_shown(str(error))}") from None

    return search


def _source(field: str, rule: Mapping[str, Any], faults: list[Fault]) -> tuple[Callable[[_Scope], Any], str]:
    """What fetches the rule's raw value, and the words that say where from."""
    if "path" in rule:
        search = expression(f"{field}.path", rule["path"], faults)
        words = f"path {_shown(rule['path'])!r}"
        if rule.get("whole"):
            return (lambda scope: search(scope.record.body)), words
        return (lambda scope: search(scope.part)), words
    if "template" in rule:
        return _template(field, rule, faults), f"template {_shown(rule['template'])!r}"
    if "record" in rule:
        what = rule["record"]
        if what not in _RECORD:
            faults.append(Fault(f"{field}.record", _shown(what), f"must be one of {', '.join(_RECORD)}"))
        return (
            lambda scope: scope.record.time if what == "time" else scope.record.identity
        ), f"record {what}"
    const = rule["const"]
    if isinstance(const, dict | list):
        faults.append(Fault(f"{field}.const", _shown(const), "must be a text, a number or true/false"))
    return (lambda scope: const), "const"


def _template(field: str, rule: Mapping[str, Any], faults: list[Fault]) -> Callable[[_Scope], Any]:
    template = rule["template"]
    if not isinstance(template, str) or not _SLOT.search(template):
        faults.append(Fault(f"{field}.template", _shown(template), "must be a text with {JMESPath} in it"))
        return lambda scope: None
    parts = _SLOT.split(template)
    searches = [expression(f"{field}.template", text, faults) for text in parts[1::2]]

    def fill(scope: _Scope) -> Any:
        origin = scope.record.body if rule.get("whole") else scope.part
        values = [search(origin) for search in searches]
        if any(is_missing(v) for v in values):
            return None
        words = [as_text(field, v) for v in values]
        return "".join(text + word for text, word in zip(parts[0::2], [*words, ""], strict=True))

    return fill


def _number_of(field: str, rule: Mapping[str, Any], name: str, default: float, faults: list[Fault]) -> float:
    value = rule.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        faults.append(Fault(f"{field}.{name}", _shown(value), "must be a finite number"))
        return default
    return float(value)


def _table_of(field: str, rule: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any] | None:
    if "table" not in rule:
        return None
    table = rule["table"]
    if not isinstance(table, dict) or not table:
        faults.append(Fault(f"{field}.table", _shown(table), "must be an object: value of the source → ours"))
        return None
    for key, value in table.items():
        if isinstance(value, dict | list) or value is None:
            faults.append(
                Fault(f"{field}.table.{key}", _shown(value), "must be a text, a number or true/false")
            )
    return table


def _zone_of(field: str, value: object, faults: list[Fault]) -> tzinfo:
    try:
        if not isinstance(value, str):
            raise ValueError
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        faults.append(Fault(field, _shown(value), "must be a time zone such as Asia/Shanghai"))
        return UTC


def _format_of(field: str, rule: Mapping[str, Any], faults: list[Fault]) -> str:
    form = rule.get("format", "")
    if not isinstance(form, str) or (form and form not in _EPOCHS and "%" not in form):
        faults.append(
            Fault(f"{field}.format", _shown(form), "must be epoch_s, epoch_ms or like %Y-%m-%d %H:%M:%S")
        )
        return ""
    if "%" in form:
        try:
            datetime.strptime("", form)  # noqa: DTZ007 - only whether it is a format
        except (ValueError, re.error) as error:
            if "does not match" not in str(error):
                faults.append(
                    Fault(f"{field}.format", _shown(form), f"must be a format of strptime: {error}")
                )
    return form


def _leaf(field: str, rule: Any, kind: str, zone: tzinfo, faults: list[Fault]) -> Maker:
    """The maker of one value of `kind` (text, number, whole, truth, time)."""
    if not isinstance(rule, dict):
        rule = {"const": rule}
    named = [name for name in _SOURCES if name in rule]
    if len(named) != 1:
        faults.append(Fault(field, _shown(rule), f"a rule has exactly one of {', '.join(_SOURCES)}"))
        return lambda scope: _ABSENT
    for name in sorted(rule.keys() - {*_SOURCES, *_MODIFIERS}, key=str):
        faults.append(
            Fault(
                f"{field}.{name}", _shown(rule[name]), f"must be one of {', '.join((*_SOURCES, *_MODIFIERS))}"
            )
        )
    for name in ("optional", "whole"):
        if not isinstance(rule.get(name, False), bool):
            faults.append(Fault(f"{field}.{name}", _shown(rule[name]), "must be true or false"))
    if kind not in ("number", "whole") and rule.keys() & {"times", "plus"}:
        faults.append(Fault(field, _shown(rule), "times and plus are for numbers"))
    if kind != "time" and rule.keys() & {"format", "zone"}:
        faults.append(Fault(field, _shown(rule), "format and zone are for times"))
    fetch, words = _source(field, rule, faults)
    table = _table_of(field, rule, faults)
    times = _number_of(field, rule, "times", 1.0, faults)
    plus = _number_of(field, rule, "plus", 0.0, faults)
    form = _format_of(field, rule, faults)
    if "zone" in rule:
        zone = _zone_of(f"{field}.zone", rule["zone"], faults)
    otherwise = rule.get("otherwise", _ABSENT)
    if isinstance(otherwise, dict | list) or otherwise is None:
        faults.append(
            Fault(f"{field}.otherwise", _shown(otherwise), "must be a text, a number or true/false")
        )
    optional = rule.get("optional") is True

    def convert(value: Any) -> Any:
        match kind:
            case "number" | "whole":
                number = as_number(field, value)
                if times != 1.0 or plus:
                    number = as_number(field, float(f"{number * times + plus:.12g}"))
                    value = number
                return number if kind == "number" else as_whole(field, value)
            case "truth":
                return as_truth(field, value)
            case "time":
                return rfc3339(as_time(field, value, form, zone))
            case _:
                return as_text(field, value)

    def make(scope: _Scope) -> Any:
        value = fetch(scope)
        if is_missing(value):
            if otherwise is not _ABSENT:
                return convert(otherwise)
            if optional:
                return _ABSENT
            raise BadRecord(field, value, f"must be there: {words} gives nothing")
        if table is not None:
            key = as_text(field, value)
            if key not in table:
                if otherwise is not _ABSENT:
                    return convert(otherwise)
                raise BadRecord(field, value, f"must be in the look-up table ({len(table)} values)")
            value = table[key]
        return convert(value)

    return make


# -- trees ----------------------------------------------------------------------------------------------------


def _kind_of(shape: shapes.Type) -> str:
    match shape:
        case shapes.StrType():
            return "text"
        case shapes.FloatType():
            return "number"
        case shapes.IntType():
            return "whole"
        case shapes.BoolType():
            return "truth"
        case shapes.DateTimeType():
            return "time"
    return ""


def _bare(shape: shapes.Type) -> shapes.Type:
    """The shape without "or null" and without its bounds (the envelope's decoder checks those)."""
    if isinstance(shape, shapes.Metadata):
        return _bare(shape.type)
    if isinstance(shape, shapes.UnionType):
        return _bare(next(t for t in shape.types if not isinstance(t, shapes.NoneType)))
    return shape


def _tree(field: str, rule: Any, shape: shapes.Type, zone: tzinfo, faults: list[Fault]) -> Maker:
    shape = _bare(shape)
    if isinstance(shape, shapes.StructType):
        return _object(field, rule, shape, zone, faults)
    if isinstance(shape, shapes.ListType):
        return _list(field, rule, shape.item_type, zone, faults)
    return _leaf(field, rule, _kind_of(shape), zone, faults)


def _object(field: str, rule: Any, shape: shapes.StructType, zone: tzinfo, faults: list[Fault]) -> Maker:
    known = {f.encode_name: f for f in shape.fields}
    if not isinstance(rule, dict):
        faults.append(Fault(field, _shown(rule), f"must be an object with {', '.join(known)}"))
        return lambda scope: _ABSENT
    for name in sorted(rule.keys() - known.keys(), key=str):
        faults.append(Fault(f"{field}.{name}", _shown(rule[name]), f"must be one of {', '.join(known)}"))
    needed = [name for name, f in known.items() if f.required]
    for name in needed:
        if name not in rule:
            faults.append(Fault(f"{field}.{name}", "", "is needed and has no rule"))
    if "crs" in rule and "crs" in known:
        crs = rule["crs"].get("const", _ABSENT) if isinstance(rule["crs"], dict) else rule["crs"]
        if crs is not _ABSENT and (not isinstance(crs, str) or crs not in TO_WGS84):
            faults.append(Fault(f"{field}.crs", _shown(crs), f"must be one of {', '.join(TO_WGS84)}"))
    makers = {
        name: _tree(f"{field}.{name}", inner, known[name].type, zone, faults)
        for name, inner in rule.items()
        if name in known
    }

    def make(scope: _Scope) -> Any:
        made = {name: value for name, m in makers.items() if (value := m(scope)) is not _ABSENT}
        return made if all(name in made for name in needed) else _ABSENT

    return make


def _list(field: str, rule: Any, shape: shapes.Type, zone: tzinfo, faults: list[Fault]) -> Maker:
    if isinstance(rule, list):
        makers = [_tree(f"{field}[{n}]", inner, shape, zone, faults) for n, inner in enumerate(rule)]
        if not makers:
            faults.append(Fault(field, "[]", "must not be empty"))
        return lambda scope: [v for m in makers if (v := m(scope)) is not _ABSENT] or _ABSENT
    if not isinstance(rule, dict) or rule.keys() != {"each", "item"}:
        faults.append(Fault(field, _shown(rule), 'must be a list, or {"each": JMESPath, "item": …}'))
        return lambda scope: _ABSENT
    search = expression(f"{field}.each", rule["each"], faults)
    item = _tree(f"{field}.item", rule["item"], shape, zone, faults)

    def make(scope: _Scope) -> Any:
        parts = search(scope.part)
        if not isinstance(parts, list) or len(parts) > MOST_PARTS:
            raise BadRecord(f"{field}.each", parts, f"must give a list of at most {MOST_PARTS}")
        made = (item(_Scope(part, scope.record)) for part in parts)
        return [v for v in made if v is not _ABSENT] or _ABSENT

    return make


# -- the mapping ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A checked mapping, ready for records. Made by `compile_mapping`."""

    topics: frozenset[str]
    _topic: Maker
    _each: Callable[[Any], Any] | None
    _id: Maker | None
    _time: Maker
    _data: Mapping[str, Maker]

    @property
    def first_topic(self) -> str:
        """The topic of records of which no topic is known."""
        return min(self.topics, key=topics.INPUT_TOPICS.index)

    def ready(self, feed: str) -> CompiledMapping:
        """Itself: it knows all it needs (see AlarmMapping)."""
        return self

    def messages(self, feed: str, record: RawRecord, max_bytes: int) -> list[Mapped | BadRecord]:
        """The messages of one record, each good or with what is wrong with it. Never raises.

        The same record gives the same bytes each time.
        """
        if self._each is None:
            parts: Any = [record.body]
        else:
            try:
                parts = self._each(record.body)
            except BadRecord as bad:
                return [bad]
            if not isinstance(parts, list) or len(parts) > MOST_PARTS:
                return [BadRecord("each", parts, f"must give a list of at most {MOST_PARTS}")]
        return [self._one(feed, record, part, n, max_bytes) for n, part in enumerate(parts)]

    def _one(self, feed: str, record: RawRecord, part: Any, n: int, limit: int) -> Mapped | BadRecord:
        scope = _Scope(part, record)
        try:
            topic = self._topic(scope)
            if topic not in self._data:
                return BadRecord("topic", topic, f"must be one of {', '.join(sorted(self._data))}")
            data = self._data[topic](scope)
            if data is _ABSENT:
                return BadRecord("data", part, "nothing of what the topic needs is there")
            time = self._time(scope)
            if time is _ABSENT:
                return BadRecord("time", part, "must be there")
            found = self._id(scope) if self._id is not None else _ABSENT
            own = record.identity if self._each is None else f"{record.identity}#{n}"
            identity = message_id(own if found is _ABSENT else str(found))
            value = encode(
                id=identity,
                source=f"urn:feed:{feed}",
                topic=topic,
                time=time,
                subject=_subject(data),
                data=data,
            )
            key = key_of(topic, decode(topic, value, limit))
        except BadRecord as bad:
            return bad
        except Bad as bad:
            return BadRecord(bad.field or "message", bad.found, bad.rule or bad.reason)
        except UnicodeEncodeError:
            return BadRecord("data", part, "must not contain half a character (lone surrogate)")
        return Mapped(topic, key, identity, value)


def _subject(data: Mapping[str, Any]) -> str:
    named = (data.get(name) for name in ("device", "camera", "worker", "case"))
    return str(next(filter(None, named), ""))


def message_id(identity: str) -> str:
    """An id that an envelope takes; a longer one becomes its digest."""
    if 0 < len(identity) <= _LONGEST_ID:
        return identity
    return hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()


def compile_mapping(spec: object) -> CompiledMapping:
    """Check a mapping and make it ready. Raises BadMapping with all faults, each naming field, value and rule."""
    faults: list[Fault] = []
    if not isinstance(spec, dict):
        raise BadMapping([Fault("mapping", _shown(spec), "must be an object")])
    allowed = ("topic", "each", "id", "time", "zone", "data")
    for name in sorted(spec.keys() - set(allowed), key=str):
        faults.append(Fault(str(name), _shown(spec[name]), f"must be one of {', '.join(allowed)}"))
    for name in ("topic", "time", "data"):
        if name not in spec:
            faults.append(Fault(name, "", "is needed"))
    if faults:
        raise BadMapping(faults)
    zone = _zone_of("zone", spec.get("zone", DEFAULT_ZONE), faults)
    chosen = _topics_of(spec["topic"], faults)
    topic = _leaf("topic", spec["topic"], "text", zone, faults)
    each = expression("each", spec["each"], faults) if "each" in spec else None
    id = _leaf("id", spec["id"], "text", zone, faults) if "id" in spec else None
    time = _leaf("time", spec["time"], "time", zone, faults)
    data = {}
    for name in chosen:
        own: list[Fault] = []
        data[name] = _tree("data", spec["data"], shapes.type_info(DATA_OF_TOPIC[name]), zone, own)
        faults += own
    if faults:
        raise BadMapping(list(dict.fromkeys(faults)))
    return CompiledMapping(frozenset(chosen), topic, each, id, time, data)


def _topics_of(rule: Any, faults: list[Fault]) -> list[str]:
    """The topics that the rule can give; topics chosen by a table must share the shape of their data."""
    found: list[Any] = [rule]
    if isinstance(rule, dict):
        if isinstance(rule.get("table"), dict):
            found = [*rule["table"].values(), *([rule["otherwise"]] if "otherwise" in rule else [])]
        elif "const" in rule:
            found = [rule["const"]]
        else:
            faults.append(Fault("topic", _shown(rule), "must be a topic, or a rule with a table of topics"))
            return []
    wrong = [t for t in found if not isinstance(t, str) or t not in DATA_OF_TOPIC]
    faults += [Fault("topic", _shown(t), f"must be one of {', '.join(topics.INPUT_TOPICS)}") for t in wrong]
    good = [t for t in found if t not in wrong]
    if len({DATA_OF_TOPIC[t] for t in good}) > 1:
        faults.append(Fault("topic", ", ".join(good), "topics of one mapping must have the same data"))
        return []
    return list(dict.fromkeys(good))


# -- what goes on the bus -------------------------------------------------------------------------------------

LONGEST_RAW: Final = 20_000
"""Characters of a bad record that go with it; of a longer one the beginning, its size and its digest."""


def outgoing(feed: str, mapped: Mapped) -> Outgoing:
    """A mapped message for the bus, told as this feed's."""
    return Outgoing(mapped.topic, mapped.key, mapped.value, (("feed", feed.encode()),))


def set_aside(
    feed: str, topic: str, record: RawRecord | BadRaw, bad: BadRecord | BadRaw, now: datetime, n: int = 0
) -> Outgoing:
    """A record that could not be mapped, as a message that ingest rejects with the mapping's own reason.

    So it lies among the dead letters with all the others: counted in the ledger, seen, mended and replayed there.
    """
    raw: Any
    raw = record.raw.decode("utf-8", "backslashreplace") if isinstance(record, BadRaw) else record.body
    try:
        text = msgspec.json.encode(raw)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError, RecursionError):
        raw = _shown(raw)
        text = msgspec.json.encode(raw)
    if len(text) > LONGEST_RAW:
        digest = hashlib.sha256(text).hexdigest()
        start = text[:LONGEST_RAW].decode("utf-8", "ignore")
        raw = {"beginning": start, "bytes": len(text), "sha256": digest}
    identity = message_id(f"{record.identity}#{n}" if n else record.identity)
    made = record.time if isinstance(record, RawRecord) and record.time is not None else now
    error = {"field": bad.field, "found": bad.found, "rule": bad.rule}
    value = encode(
        id=_clean(identity), source=f"urn:feed:{feed}", topic=topic, time=rfc3339(made), subject="",
        data={"mapping_error": {k: _clean(v) for k, v in error.items()}, "raw": raw},
    )  # fmt: skip
    return Outgoing(topic, _clean(identity), value, (("feed", feed.encode()),))


def _clean(text: str) -> str:
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()
