"""The 20-digit code of GB/T 28181 (rule A of its code annex): who owns a camera, what it is, on which network it stands.

    34020000 00 132 0 000001
    │        │  │   │ └ serial, 6 digits
    │        │  │   └── network segment
    │        │  └────── type of device or user
    │        └───────── industry that gives access to it
    └────────────────── division: 6 digits of GB/T 2260, 2 digits of the grassroots unit (00: county level or above)

A wrong shape is an error. A part that the tables do not know is none: the code is taken and the part is *named* as
unknown, because cities give out numbers faster than standards are printed.

Source of the tables: GB/T 28181-2016 annex D and GB/T 28181-2022 annex E, as transcribed in public source code (the
texts of the standard were not at hand). Divisions change every year and are handed in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Edition = Literal["2011", "2014", "2016", "2022"]
"""2014 is the supplement to the edition of 2011."""

EDITIONS: Final[tuple[Edition, ...]] = ("2011", "2014", "2016", "2022")

UNKNOWN: Final = "未知"
LENGTH: Final = 20


class BadCode(ValueError):
    """Not of the shape of a code. `field` is the part, `found` its value, `rule` what it must be."""

    def __init__(self, field: str, found: object, rule: str) -> None:
        self.field, self.found, self.rule = field, str(found)[:60], rule
        super().__init__(f"{field}={self.found!r}: must be {rule}")


PROVINCES: Final[Mapping[str, str]] = {
    "11": "北京市", "12": "天津市", "13": "河北省", "14": "山西省", "15": "内蒙古自治区", "21": "辽宁省", "22": "吉林省",
    "23": "黑龙江省", "31": "上海市", "32": "江苏省", "33": "浙江省", "34": "安徽省", "35": "福建省", "36": "江西省",
    "37": "山东省", "41": "河南省", "42": "湖北省", "43": "湖南省", "44": "广东省", "45": "广西壮族自治区", "46": "海南省",
    "50": "重庆市", "51": "四川省", "52": "贵州省", "53": "云南省", "54": "西藏自治区", "61": "陕西省", "62": "甘肃省",
    "63": "青海省", "64": "宁夏回族自治区", "65": "新疆维吾尔自治区", "71": "台湾省", "81": "香港特别行政区",
    "82": "澳门特别行政区",
}  # fmt: skip
"""First two digits of GB/T 2260: enough to name a division roughly where no finer table is handed in."""

_GOVERNMENT: Final = {
    "00": "社会治安路面接入", "01": "社会治安社区接入", "02": "社会治安内部接入", "03": "社会治安其他接入",
    "04": "交通路面接入", "05": "交通卡口接入", "06": "交通内部接入", "07": "交通其他接入", "08": "城市管理接入",
    "09": "卫生环保接入", "10": "商检海关接入", "11": "教育部门接入",
}  # fmt: skip
_INDUSTRIES_2016: Final = _GOVERNMENT | {
    "40": "农林牧渔业接入", "41": "采矿企业接入", "42": "制造企业接入", "43": "冶金企业接入", "44": "电力企业接入",
    "45": "燃气企业接入", "46": "建筑企业接入", "47": "物流企业接入", "48": "邮政企业接入", "49": "信息企业接入",
    "50": "住宿和餐饮业接入", "51": "金融企业接入", "52": "房地产业接入", "53": "商务服务业接入", "54": "水利企业接入",
    "55": "娱乐企业接入",
}  # fmt: skip
_INDUSTRIES_2022: Final = _GOVERNMENT | {
    "12": "民航接入", "13": "铁路接入", "14": "航运接入",
    "40": "农、林、牧、渔业接入", "41": "采矿业接入", "42": "制造业接入", "43": "电力、热力、燃气及水生产和供应业接入",
    "44": "建筑业接入", "45": "批发和零售业接入", "46": "交通运输、仓储和邮政业接入", "47": "住宿和餐饮业接入",
    "48": "信息传输、软件和信息技术服务业接入", "49": "金融业接入", "50": "房地产业接入", "51": "租赁和商务服务业接入",
    "52": "科学研究和技术服务业接入", "53": "水利、环境和公共设施管理业接入", "54": "居民服务、修理和其他服务业接入",
    "55": "教育接入", "56": "卫生和社会工作接入", "57": "文化、体育和娱乐业接入", "58": "公共管理、社会保障和社会组织接入",
    "59": "国际组织接入",
}  # fmt: skip
INDUSTRIES: Final[Mapping[Edition, Mapping[str, str]]] = {
    "2011": _INDUSTRIES_2016, "2014": _INDUSTRIES_2016, "2016": _INDUSTRIES_2016, "2022": _INDUSTRIES_2022,
}  # fmt: skip
"""Digits 9–10. From 40 on, the edition of 2022 follows GB/T 4754 and gives the same number to another industry."""

_TYPES_2016: Final = {
    "111": "DVR", "112": "视频服务器", "113": "编码器", "114": "解码器", "115": "视频切换矩阵", "116": "音频切换矩阵",
    "117": "报警控制器", "118": "网络视频录像机(NVR)", "130": "混合硬盘录像机(HVR)", "131": "摄像机",
    "132": "网络摄像机(IPC)", "133": "显示器", "134": "报警输入设备", "135": "报警输出设备", "136": "语音输入设备",
    "137": "语音输出设备", "138": "移动传输设备", "139": "其他外围设备",
    "200": "中心信令控制服务器", "201": "Web应用服务器", "202": "媒体分发服务器", "203": "代理服务器",
    "204": "安全服务器", "205": "报警服务器", "206": "数据库服务器", "207": "GIS服务器", "208": "管理服务器",
    "209": "接入网关", "210": "媒体存储服务器", "211": "信令安全路由网关", "215": "业务分组", "216": "虚拟组织",
    "300": "中心用户", "400": "终端用户", "500": "视频图像信息综合应用平台信令服务器",
    "501": "视频图像信息运维管理平台信令服务器",
} | {f"{n}": "中心行业角色用户" for n in range(301, 344)} | {f"{n}": "终端行业角色用户" for n in range(401, 444)}  # fmt: skip
_TYPES_2022: Final = _TYPES_2016 | {
    "120": "在线视频图像信息采集系统", "121": "视频卡口", "122": "多目设备", "123": "停车场出入口控制设备",
    "124": "人员出入口控制设备", "125": "安检设备", "140": "报警输出设备(继电器或触发器控制)", "141": "道闸",
    "142": "智能门", "143": "凭证识别单元", "502": "视频图像分析系统", "503": "视频图像信息数据库",
    "505": "视频图像分析设备",
}  # fmt: skip
TYPES: Final[Mapping[Edition, Mapping[str, str]]] = {
    "2011": _TYPES_2016, "2014": _TYPES_2016, "2016": _TYPES_2016, "2022": _TYPES_2022,
}  # fmt: skip
"""Digits 11–13."""

CAMERA_TYPES: Final = frozenset({"121", "122", "131", "132"})
"""Types that have a picture of their own."""

_SEGMENTS_2016: Final = dict.fromkeys("01234", "监控报警专网") | {
    "5": "公安信息网", "6": "政务网", "7": "Internet网", "8": "社会资源接入网",
}  # fmt: skip
_SEGMENTS_2022: Final = {
    "0": "公安视频传输网", "1": "公安视频传输网", "2": "行业专网", "3": "政法信息网", "4": "公安移动信息网",
    "5": "公安信息网", "6": "电子政务外网", "7": "互联网等公共网络", "8": "专线",
}  # fmt: skip
SEGMENTS: Final[Mapping[Edition, Mapping[str, str]]] = {
    "2011": _SEGMENTS_2016, "2014": _SEGMENTS_2016, "2016": _SEGMENTS_2016, "2022": _SEGMENTS_2022,
}  # fmt: skip
"""Digit 14; 9 is reserved."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a code with its name; `known` false where the table of the edition does not hold it."""

    code: str
    name: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Code:
    """A code, taken apart. `grassroots` '00' means county level or above."""

    division: Part
    grassroots: str
    industry: Part
    type: Part
    segment: Part
    serial: str

    def __str__(self) -> str:
        return encode(
            self.division.code,
            self.industry.code,
            self.type.code,
            self.segment.code,
            self.serial,
            self.grassroots,
        )

    @property
    def unknown(self) -> tuple[str, ...]:
        """What the tables do not hold, each as `part=code`."""
        return tuple(f"{name}={part.code}" for name, part in self.parts() if not part.known)

    @property
    def is_camera(self) -> bool:
        """True where the type has a picture of its own."""
        return self.type.code in CAMERA_TYPES

    def parts(self) -> Iterator[tuple[str, Part]]:
        """(name, part) of the four parts that have a table."""
        yield "division", self.division
        yield "industry", self.industry
        yield "type", self.type
        yield "segment", self.segment


def _digits(field: str, value: str, length: int) -> str:
    if len(value) != length or not (value.isascii() and value.isdigit()):
        raise BadCode(field, value, f"{length} digits")
    return value


def is_code(text: str) -> bool:
    """Whether a text has the shape of a code: 20 ASCII digits."""
    return len(text) == 20 and text.isascii() and text.isdigit()


def parse(code: str, divisions: Mapping[str, str] | None = None, edition: Edition = "2016") -> Code:
    """Take a code apart. Raises BadCode for its shape.

    `divisions`: 2-, 4- and 6-digit divisions with their names; without it only the province is judged.
    """
    _digits("code", code, LENGTH)
    return Code(
        division_of(code[:6], divisions),
        code[6:8],
        _named(code[8:10], INDUSTRIES[edition]),
        _named(code[10:13], TYPES[edition]),
        _named(code[13], SEGMENTS[edition]),
        code[14:],
    )


def _named(code: str, table: Mapping[str, str]) -> Part:
    name = table.get(code, "")
    return Part(code, name or f"{UNKNOWN}（{code}）", bool(name))


def division_of(code: str, divisions: Mapping[str, str] | None = None) -> Part:
    """A six-digit division with its name, said as far down as the table knows it; see `parse`.

    Trailing zeros mean the level above: 340200 is the city 3402 itself.
    """
    province = PROVINCES.get(code[:2], "")
    if divisions is None:
        return Part(code, province) if province else Part(code, f"{UNKNOWN}（{code}）", known=False)
    meant = code[:2] if code.endswith("0000") else code[:4] if code.endswith("00") else code
    name = divisions.get(code) or divisions.get(meant)
    if name:
        return Part(code, name)
    above = divisions.get(code[:4]) or divisions.get(code[:2]) or province
    return Part(code, f"{above}{UNKNOWN}（{code}）", known=False)


def encode(
    division: str, industry: str, type: str, segment: str, serial: str | int, grassroots: str = "00"
) -> str:
    """Put a code together; `division` has 6 digits, or 8 with the grassroots unit. Raises BadCode naming the part."""
    if len(division) == 8:
        division, grassroots = division[:6], division[6:]
    if isinstance(serial, int):
        if not 0 <= serial < 1_000_000:
            raise BadCode("serial", serial, "between 0 and 999999")
        serial = f"{serial:06d}"
    return (
        _digits("division", division, 6)
        + _digits("grassroots", grassroots, 2)
        + _digits("industry", industry, 2)
        + _digits("type", type, 3)
        + _digits("segment", segment, 1)
        + _digits("serial", serial, 6)
    )
