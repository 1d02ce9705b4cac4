"""A city made up for `bench routing`: its streets, units, standards with the roles that may answer, and who really answers.

Imports nothing of the product. What a router may see is the table (`standards`, `offices`, `periods`, areas, names); the
rest (schemes, disputes and what decides them) is how the city really works, and is told to nobody.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import numpy as np
import shapely

# -- settings: all of them are printed with the result --------------------------------------------------------

DISTRICTS: Final = 6
STREETS: Final = 48
COMMUNITIES: Final = 5
"""For each street; NAMESAKES of them are called like one of another street."""
NAMESAKES: Final = 0.06
WIDTH_M, HEIGHT_M = 30_000.0, 20_000.0
SEVERAL_UNITS: Final = 0.91
"""Share of the standards that name several possible units."""
DISPUTED: Final = 0.20
"""Share of the incidents over which two units differ."""
DISPUTE_PRONE: Final = 1 / 3
"""Share of the classes (by incidents) in which disputes occur, street by street."""
DECIDERS: Final = {"practice": 0.32, "owner": 0.24, "road": 0.2, "condition": 0.14, "nobody": 0.1}
"""What decides a dispute in a class and street. `nobody`: it is settled anew each time, and nothing of it is written."""
PUBLIC: Final = 0.55
"""Share of components that the city itself owns."""

YEAR: Final = 2025
CHINA: Final = timezone(timedelta(hours=8))
LON, LAT = 113.9, 21.9
METRES: Final = math.pi * 6_371_008.8 / 180
STRETCH: Final = math.cos(math.radians(LAT))

COMPONENT_CLASSES: Final = (
    "雨水井盖,雨篦子", "污水井盖,化粪池盖", "电力井盖,电缆井", "通信井盖,光缆井", "燃气阀井,煤气井", "热力管井,暖气井", "路灯,街灯", "景观灯,亮化灯",
    "消火栓,消防栓", "变电箱,配电箱", "光交箱,通信箱", "电话亭,话亭", "邮筒,信筒", "公交站亭,候车亭", "停车咪表,停车设施", "跨街天桥,人行天桥",
    "地下通道,过街地道", "护栏,隔离栏", "路名牌,街牌", "交通标志牌,指示牌", "信号灯,红绿灯", "减速带,缓冲垄", "盲道,导盲砖", "路缘石,道牙",
    "果皮箱,垃圾桶", "公共厕所,公厕", "垃圾压缩站,转运站", "行道树,街树", "绿化带,花坛", "古树名木,老树",
)  # fmt: skip
EVENT_CLASSES: Final = (
    "暴露垃圾,垃圾堆", "积存渣土,建筑垃圾", "道路遗撒,抛洒物", "道路积水,路面积水", "污水外溢,冒污水", "非法小广告,牛皮癣", "占道经营,流动摊贩", "店外经营,出店摆卖",
    "机动车乱停,违停车辆", "单车乱放,共享单车", "违章搭建,违建", "工地扬尘,施工扬尘", "夜间施工噪音,深夜打桩", "油烟扰民,餐饮油烟", "露天烧烤,烧烤摊", "焚烧树叶,烧荒",
    "道路破损,路面坑洞", "道路塌陷,路面下沉", "河道漂浮物,水面垃圾", "河堤破损,堤坝裂缝", "树木倒伏,树枝折断", "广告牌松动,招牌欲坠", "占用消防通道,堵消防通道", "群租房隐患,违规群租",
    "犬只扰民,遛狗不牵绳", "乱晾晒,沿街晾挂", "毁绿占绿,圈地种菜", "路面结冰,积雪未清", "活动垃圾清运,临时围挡", "空气异味,刺鼻气味",
)  # fmt: skip
CONDITIONS: Final = (
    "破损开裂", "缺失不见", "松动移位", "倾斜将倒", "漏水渗水", "堵塞不通", "脏污油腻", "反复出现", "遮挡视线", "伤人隐患", "面积较大", "占用人行道",
    "影响通行", "夜间尤甚", "无人管理", "臭味扰民", "噪声扰民", "刚刚发生", "长期存在", "塌陷下沉",
)  # fmt: skip
COMPANIES: Final = (
    "海通电力", "远讯移动", "新联通信", "铁桥铁塔", "华源燃气", "暖城热力", "清泉水务", "快线公交", "安居物业", "万和地产", "绿舟停车", "东港码头",
)  # fmt: skip
CENTRES: Final = (
    "市政公用中心", "市排水中心", "市路灯管理所", "市园林中心", "市容环卫中心", "市供热供气中心", "市停车管理中心", "市水务管理所",
)  # fmt: skip
SYLLABLES: Final = ("云", "溪", "柳", "石", "青", "白", "临", "望", "安", "永", "兴", "福", "梅", "竹", "松", "鹤", "龙", "凤", "金", "银", "泉", "湖", "山", "江")  # fmt: skip


def on(month: int, day: int) -> datetime:
    """The beginning of a day of the year."""
    return datetime(YEAR, month, day, tzinfo=CHINA).astimezone(UTC)


PERIODS: Final = (
    ("flood", "汛期", on(6, 1), on(10, 1)), ("event", "春季展会", on(4, 10), on(4, 21)),
    ("event", "国庆活动", on(10, 1), on(10, 9)), ("event", "马拉松与灯会", on(10, 25), on(11, 6)),
    ("ice", "年初冰雪", on(1, 1), on(2, 20)), ("ice", "年末冰雪", on(12, 10), on(12, 31)),
    ("smog", "重污染天气", on(11, 15), on(12, 1)),
)  # fmt: skip
"""Kind, name, begin, end. Smog comes for the first time after the training months: only the table knows of it."""

PERIOD_CLASSES: Final = {
    "flood": ("雨水井盖", "道路积水", "污水外溢", "河道漂浮物", "河堤破损", "道路塌陷"),
    "event": ("活动垃圾清运", "占道经营", "护栏", "机动车乱停", "暴露垃圾"),
    "ice": ("路面结冰", "树木倒伏", "跨街天桥"),
    "smog": ("工地扬尘", "焚烧树叶", "空气异味", "露天烧烤"),
}


@dataclass(frozen=True, slots=True)
class Standard:
    """A class and condition, the roles its row names, and how one of them is chosen when nobody differs over it."""

    class_code: str
    class_name: str
    words: tuple[str, ...]
    condition: str
    component: bool
    roles: tuple[str, ...]
    scheme: str
    usual: str
    other: str
    urgent: bool
    weight: float


@dataclass(slots=True)
class City:
    """One city of one seed."""

    polygons: list[Any] = field(default_factory=list)
    streets: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    communities: dict[str, list[str]] = field(default_factory=dict)
    standards: list[Standard] = field(default_factory=list)
    offices: dict[str, dict[str, str]] = field(default_factory=dict)
    units: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Code → name, path of its area ('' = whole city)."""
    periodic: dict[str, set[str]] = field(default_factory=dict)
    """Kind of period → codes of its classes."""
    disputes: dict[tuple[str, str], str] = field(default_factory=dict)
    """(class, street) → what decides."""
    role_names: dict[str, str] = field(default_factory=dict)
    public: dict[str, str] = field(default_factory=dict)
    """Class → the city's centre that owns its public components."""
    borders: Any = None
    """All lines between streets, in degrees."""

    def unit_of(self, role: str, street: str, owner: str, road: str) -> str:
        """Who a role is."""
        if role == "owner":
            return owner
        offices = self.offices[f"road:{road}" if role == "road" else role]
        return offices.get(street) or offices.get(district_of(street)) or offices[""]

    def answers(self, s: Standard, street: str, owner: str, road: str, period: str, coin: bool) -> str:
        """Who really answers. `owner`: who owns the component, '' where there is none; `coin`: how it is settled if nobody
        decides."""
        if period and s.class_code in self.periodic.get(period, ()):
            return self.unit_of(period, street, owner, road)
        decider = self.disputes.get((s.class_code, street), "")
        if decider == "owner" and "owner" not in s.roles:
            decider = "practice"  # whom the sheet does not name cannot be the one
        company = owner.startswith("K")
        role = "owner" if s.scheme == "owner" and company else s.usual
        if len(s.roles) > 1 and decider:
            role = {
                "practice": s.other, "owner": "owner" if company else role,
                "road": s.other if road == "arterial" else role,
                "condition": s.other if s.urgent else role, "nobody": s.other if coin else role,
            }[decider]  # fmt: skip
        return self.unit_of(role, street, owner, road)


def district_of(street: str) -> str:
    """`1/3/17/` → `1/3/`."""
    return street[: street.rstrip("/").rfind("/") + 1]


def to_degrees(x: float, y: float) -> tuple[float, float]:
    """Metres from the middle → degrees."""
    return LON + x / METRES / STRETCH, LAT + y / METRES


def make_city(seed: int) -> City:
    """A city."""
    rng = random.Random(f"city {seed}")
    city = City()
    _draw(city, rng)
    _staff(city)
    _standards(city, rng)
    _disputes(city, rng)
    return city


def _draw(city: City, rng: random.Random) -> None:
    """Streets are Voronoi cells; a district is the streets nearest to its middle."""
    points = [(rng.uniform(-0.5, 0.5) * WIDTH_M, rng.uniform(-0.5, 0.5) * HEIGHT_M) for _ in range(STREETS)]
    middles = [
        (rng.uniform(-0.4, 0.4) * WIDTH_M, rng.uniform(-0.4, 0.4) * HEIGHT_M) for _ in range(DISTRICTS)
    ]
    box = shapely.box(-WIDTH_M / 2, -HEIGHT_M / 2, WIDTH_M / 2, HEIGHT_M / 2)
    cells = shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=box)
    metres = [shapely.intersection(cell, box) for cell in cells.geoms]
    used: set[str] = set()

    def name(tail: str) -> str:
        while True:
            made = rng.choice(SYLLABLES) + rng.choice(SYLLABLES) + tail
            if made not in used:
                used.add(made)
                return made

    for d in range(DISTRICTS):
        city.names[f"1/{d}/"] = name("区")
    for number, polygon in enumerate(metres):
        at = polygon.centroid
        d = min(range(DISTRICTS), key=lambda i: math.dist(middles[i], (at.x, at.y)))
        path = f"1/{d}/{number}/"
        city.streets.append(path)
        city.names[path] = name("街道")
        city.communities[path] = [
            rng.choice(city.communities[rng.choice(city.streets[:-1])])
            if number and rng.random() < NAMESAKES
            else name("社区")
            for _ in range(COMMUNITIES)
        ]
        city.polygons.append(shapely.transform(polygon, _degrees))
    lines = shapely.union_all([polygon.boundary for polygon in metres])
    city.borders = shapely.intersection(lines, shapely.buffer(box, -100.0))


def _degrees(metres: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.column_stack([LON + metres[:, 0] / METRES / STRETCH, LAT + metres[:, 1] / METRES])


def _staff(city: City) -> None:
    """Every role gets its offices."""
    districts = sorted({district_of(street) for street in city.streets})

    def office(role: str, code: str, name: str, path: str, place: str = "") -> None:
        city.units[code] = (name, path)
        city.offices.setdefault(role, {})[place or path] = code

    for k, centre in enumerate(CENTRES):
        office(f"centre{k}", f"C{k}", centre, "")
        city.role_names[f"centre{k}"] = centre
    for company in range(len(COMPANIES)):
        city.units[f"K{company}"] = (COMPANIES[company], "")
    for d in districts:
        office("law", f"L{d}", f"{city.names[d]}行政执法队", d)
        office("sanitation", f"S{d}", f"{city.names[d]}环卫所", d)
        office("road:secondary", f"M{d}", f"{city.names[d]}市政所", d)
        office("flood", f"F{d}", f"{city.names[d]}防汛抢险队", d)
        office("ice", f"I{d}", f"{city.names[d]}除雪队", d)
    for street in city.streets:
        office("street", f"J{street}", f"{city.names[street]}办事处", street)
    city.offices["road:local"] = dict(city.offices["street"])
    office("road:arterial", "CR", "市道路养护中心", "")
    office("event", "CE", "市大型活动保障组", "")
    office("smog", "CS", "市大气污染应急组", "")
    city.role_names |= {
        "law": "属地行政执法部门", "sanitation": "属地环卫部门", "street": "所属街办", "road": "道路管养单位", "owner": "产权单位",
        "flood": "防汛抢险队", "ice": "除雪队", "event": "大型活动保障组", "smog": "大气污染应急组",
    }  # fmt: skip


def _standards(city: City, rng: random.Random) -> None:
    """Five or six conditions for each class; frequent and rare classes (Zipf)."""
    lines = [(line, True) for line in COMPONENT_CLASSES] + [(line, False) for line in EVENT_CLASSES]
    ranks = list(range(len(lines)))
    rng.shuffle(ranks)
    made: list[Standard] = []
    for number, (line, component) in enumerate(lines):
        words = tuple(line.split(","))
        code = f"{'C' if component else 'E'}{number:02d}"
        for kind, names in PERIOD_CLASSES.items():
            if words[0] in names:
                city.periodic.setdefault(kind, set()).add(code)
        pool = [f"centre{rng.randrange(len(CENTRES))}", rng.choice(("law", "sanitation")), "street", "road"]
        if component:
            city.public[code] = f"C{rng.randrange(len(CENTRES))}"
        conditions = rng.sample(CONDITIONS, rng.choice((5, 6)))
        for condition in conditions:
            roles = rng.sample(pool, rng.choice((2, 2, 3)))
            scheme = "fixed"
            if component and rng.random() < 0.6:
                roles[-1], scheme = "owner", rng.choice(("owner", "owner", "fixed"))
            rest = [role for role in roles if role != "owner"]
            made.append(
                Standard(
                    code, words[0], words, condition, component, tuple(roles), scheme, rest[0],
                    rest[1] if len(rest) > 1 else "owner", rng.random() < 0.5,
                    1 / (ranks[number] + 6) * rng.uniform(0.4, 1.6),
                )
            )  # fmt: skip
    # Exactly the share that the settings name has several units.
    for i in rng.sample(range(len(made)), round(len(made) * (1 - SEVERAL_UNITS))):
        s = made[i]
        made[i] = Standard(
            s.class_code, s.class_name, s.words, s.condition, s.component, (s.usual,), "fixed", s.usual, s.usual,
            s.urgent, s.weight,
        )  # fmt: skip
    city.standards = made


def _disputes(city: City, rng: random.Random) -> None:
    """Disputes sit in some classes, street by street, until they make up their share of the incidents."""
    whole = sum(s.weight for s in city.standards)
    weight = {s.class_code: 0.0 for s in city.standards}
    for s in city.standards:
        weight[s.class_code] += s.weight * (len(s.roles) > 1)
    several = {code: w / whole for code, w in weight.items()}
    codes = sorted(several)
    rng.shuffle(codes)
    prone: list[str] = []
    while sum(several[code] for code in prone) < DISPUTE_PRONE:
        prone.append(codes.pop())
    pairs = [(code, street) for code in prone for street in city.streets]
    rng.shuffle(pairs)
    share = 0.0
    for code, street in pairs:
        if share >= DISPUTED:
            break
        share += several[code] / len(city.streets)
        decider = rng.choices(list(DECIDERS), list(DECIDERS.values()))[0]
        # Only components have owners.
        city.disputes[code, street] = "practice" if decider == "owner" and code.startswith("E") else decider
