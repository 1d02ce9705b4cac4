"""Invented Chinese names with their English form: areas, roads, people. Nothing here is taken from a real city's list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CITY: Final = ("临澜市", "Linlan")
DISTRICTS: Final = (
    ("澜江区", "Lanjiang District"),
    ("望海区", "Wanghai District"),
    ("青屿区", "Qingyu District"),
    ("禾丰县", "Hefeng County"),
    ("桂岭区", "Guiling District"),
    ("雁洲区", "Yanzhou District"),
    ("盐滩区", "Yantan District"),
    ("松浦区", "Songpu District"),
)
STREETS: Final = _words(
    "滨澜 老埠 归帆 南薰 棉行 钟台 揽翠 会仙 镜湖 海晏 潮音 听涛 东堤 文澜 书院 学宫 机坊 船厂 铁桥 榕阴 "
    "新圩 凤仪 松涛 银沙 鹭港 星湾 云帆 锦堤 长汀 金埠"
)
TOWNS: Final = _words(
    "稻香 锦溪 桑田 竹坑 柳塘 沙栏 麻溪 桑园 茶岭 盐滩 渔湾 红树 龙须 白鹤 塘尾 莲洲 古渡 双水 上陂 "
    "枫坪 梅岭 泉塘 北垌 大围 牛栏 瓦窑 榄坡 芦苞 三桠"
)
_FIRST: Final = _words(
    "锦 望 临 云 青 金 玉 春 和 福 安 永 新 东 西 南 北 石 竹 梅 兰 荷 桂 榕 松 柳 沙 渔 白 鹤 莲 菱 枫 樟 杏 "
    "桑 麻 棉 茶 稻 禾 瓦 上 下 大 双 古 龙 凤 鹭 雁 月 星 霞 银 翠 红 紫 长 清 泉 书 旗"
)
_SECOND: Final = [
    "园",
    "苑",
    "桥",
    "塘",
    "湾",
    "岗",
    "坪",
    "泉",
    "溪",
    "井",
    "里",
    "门",
    "田",
    "洲",
    "岭",
    "湖",
    "堤",
    "埠",
    "浦",
    "亭",
    "台",
    "坡",
    "围",
    "涌",
    "汀",
    "陂",
    "巷",
    "屏",
    "仓",
    "圩",
]
_ROAD: Final = [
    "宁",
    "安",
    "华",
    "兴",
    "平",
    "康",
    "泰",
    "丰",
    "祥",
    "瑞",
    "德",
    "明",
    "秀",
    "晖",
    "辉",
    "荣",
    "昌",
    "源",
    "雅",
    "韵",
    "航",
    "澜",
    "汐",
    "帆",
    "晏",
    "煦",
    "畅",
    "禧",
    "衡",
    "澄",
]
_PINYIN: Final = dict(
    pair.split(":")
    for pair in _words(
        "滨:bin 澜:lan 老:lao 埠:bu 归:gui 帆:fan 南:nan 薰:xun 棉:mian 行:hang 钟:zhong 台:tai 揽:lan 翠:cui 会:hui "
        "仙:xian 镜:jing 湖:hu 海:hai 晏:yan 潮:chao 音:yin 听:ting 涛:tao 东:dong 堤:di 文:wen 书:shu 院:yuan 学:xue "
        "宫:gong 机:ji 坊:fang 船:chuan 厂:chang 铁:tie 桥:qiao 榕:rong 阴:yin 新:xin 圩:xu 凤:feng 仪:yi 松:song 银:yin "
        "沙:sha 鹭:lu 港:gang 星:xing 湾:wan 云:yun 锦:jin 长:chang 汀:ting 金:jin 禾:he 丰:feng 稻:dao 香:xiang 石:shi "
        "门:men 栖:qi 竹:zhu 坑:keng 柳:liu 塘:tang 栏:lan 麻:ma 溪:xi 桑:sang 园:yuan 茶:cha 岭:ling 盐:yan 滩:tan "
        "渔:yu 红:hong 树:shu 龙:long 须:xu 白:bai 鹤:he 尾:wei 莲:lian 洲:zhou 古:gu 渡:du 双:shuang 水:shui 上:shang "
        "陂:bei 枫:feng 坪:ping 梅:mei 泉:quan 北:bei 垌:dong 大:da 围:wei 牛:niu 瓦:wa 窑:yao 榄:lan 坡:po 芦:lu 苞:bao "
        "三:san 桠:ya 望:wang 临:lin 青:qing 玉:yu 春:chun 和:he 福:fu 安:an 永:yong 西:xi 兰:lan 荷:he 桂:gui 菱:ling "
        "樟:zhang 杏:xing 下:xia 雁:yan 月:yue 霞:xia 紫:zi 清:qing 旗:qi 苑:yuan 岗:gang 井:jing 里:li 田:tian 浦:pu "
        "亭:ting 涌:chong 巷:xiang 屏:ping 仓:cang 宁:ning 华:hua 兴:xing 平:ping 康:kang 泰:tai 祥:xiang 瑞:rui 德:de "
        "明:ming 秀:xiu 晖:hui 辉:hui 荣:rong 昌:chang 源:yuan 雅:ya 韵:yun 航:hang 汐:xi 煦:xu 畅:chang 禧:xi 衡:heng "
        "澄:cheng 屿:yu 江:jiang 环:huan 岛:dao 迎:ying 宾:bin 口:kou 中:zhong 滘:jiao 乡:xiang 花:hua 心:xin 城:cheng 虹:hong 津:jin 朝:zhao 矶:ji"
    )
)
_SURNAMES: Final = _words(
    "陈 林 黄 李 张 王 刘 吴 梁 何 周 郑 罗 谢 邓 叶 苏 卢 冯 蔡 潘 曾 彭 吕 钟 谭 赖 温 余 邱 "
    "范 方 石 姚 江 容 关 简 区 甘"
)
_GIVEN: Final = _words(
    "志 伟 建 国 海 文 明 晓 丽 芳 秀 玉 春 桂 永 德 嘉 俊 浩 宇 欣 怡 婷 雅 静 敏 慧 燕 勇 强 华 荣 佳 思 子 健 "
    "锋 涛 辉 洁 珊 颖 诗 梓 泽 峰 艺 航"
)
_DIGITS: Final = "零一二三四五六七八九"


def pinyin(text: str) -> str:
    """The pinyin of an invented name, joined and capitalised; KeyError for a character not in the table."""
    return "".join(_PINYIN[c] for c in text).capitalize()


def numeral(n: int) -> str:
    """1..99 in Chinese numerals, as in 二十三."""
    if n < 10:
        return _DIGITS[n]
    tens, ones = divmod(n, 10)
    return ("" if tens == 1 else _DIGITS[tens]) + "十" + (_DIGITS[ones] if ones else "")


def _pairs(
    rng: np.random.Generator, first: Sequence[str], second: Sequence[str], taken: set[str]
) -> Iterator[str]:
    """All two-character names in a seeded order, then three-character ones."""
    base = [a + b for a in first for b in second if a != b and a + b not in taken]
    for i in rng.permutation(len(base)):
        yield base[int(i)]
    for middle in "和安新长":
        for i in rng.permutation(len(base)):
            yield base[int(i)][0] + middle + base[int(i)][1]


@dataclass
class NameBook:
    """Gives each name once."""

    rng: np.random.Generator
    _streets: Iterator[str] = field(init=False)
    _towns: Iterator[str] = field(init=False)
    _villages: Iterator[str] = field(init=False)
    _roads: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        known = {*STREETS, *TOWNS}
        places = _pairs(self.rng, _FIRST, _SECOND, known)
        self._streets = iter([*STREETS, *(a + "安" for a in _FIRST)])
        self._towns = iter([*TOWNS, *(a + "和" for a in _FIRST)])
        self._villages = places
        self._roads = _pairs(self.rng, _FIRST, _ROAD, set())

    def street_town(self) -> str:
        """The short name of a 街道."""
        return next(self._streets)

    def rural_town(self) -> str:
        """The short name of a 镇."""
        return next(self._towns)

    def village(self) -> str:
        """The short name of a 社区 or 村."""
        return next(self._villages)

    def road(self) -> str:
        """The short name of a road, without its 大道 / 路."""
        return next(self._roads)


def person(rng: np.random.Generator) -> str:
    """An invented personal name."""
    given = [str(c) for c in rng.choice(_GIVEN, size=2, replace=False)]
    if rng.random() < 0.16:
        given = given[:1]
    return str(rng.choice(_SURNAMES)) + "".join(given)
