"""How a Chinese address may be written, brought to one form: 一〇八号, １０８號 and 108号 are the same (S20).

Pure text: what names there are is for `address_book.py` to know.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_TRADITIONAL: Final = str.maketrans(
    "號樓棟單區鎮縣鄉門東側對邊橋龍園莊東麗華興廣場灣島陽溝頭飯館醫學業廠車應後與間處進雲長錦鳳鶴鵬豐寧靜濱濟漁貝銀鐵馬驛鷺",
    "号楼栋单区镇县乡门东侧对边桥龙园庄东丽华兴广场湾岛阳沟头饭馆医学业厂车应后与间处进云长锦凤鹤鹏丰宁静滨济渔贝银铁马驿鹭",
)
"""Characters of addresses in the traditional script; not a converter of texts."""
_DIGIT: Final = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_TENS: Final = {"十": 10, "百": 100, "千": 1000}
_NUMERAL: Final = re.compile("[〇零一二两三四五六七八九十百千]+(?=[号#栋幢座楼单室组队米街路巷道弄期社])")
"""A Chinese numeral that counts something of an address; 九龙路 holds none."""
_MARKS: Final = re.compile(r"[\s,，.。;；:：!！?？()（）【】\[\]<>《》\"'“”‘’·…|_*]+")


def number_of(numeral: str) -> int:
    """一百零八 and 一〇八 are 108, 十二 is 12, 一百二 is 120."""
    if not any(c in _TENS for c in numeral):
        return int("".join(str(_DIGIT[c]) for c in numeral))
    total, digit, unit, zero = 0, None, 1, False
    for c in numeral:
        if c in _TENS:
            unit = _TENS[c]
            total, digit, zero = total + (1 if digit is None else digit) * unit, None, False
        else:
            digit = _DIGIT[c]
            zero = zero or digit == 0
    if digit:
        total += digit * (1 if zero or unit <= 10 else unit // 10)
    return total


def plain_address(text: str) -> str:
    """One form of what may be written in many: width, script, numerals, marks and blanks make no difference."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_TRADITIONAL)
    return _NUMERAL.sub(lambda found: str(number_of(found[0])), _MARKS.sub("", folded))


NUMBER: Final = re.compile(
    r"(?:门牌)?(?:第)?(\d{1,5})(?:[-之](\d{1,3}))?(?:号院?|#)(?!楼)"
    r"(?:之(\d{1,3})|-(\d{1,3})(?![\d号栋幢座楼层单室]))?"
)
"""A house number: 12号, 12-3号, 12号之3, 12号-3, 12#. Not 3号楼, which is a building; 12号-301室 is a room of 12."""
BARE_NUMBER: Final = re.compile(
    r"(\d{1,5})(?:[-之](\d{1,3}))?(?![-之]\d|[\d米栋幢座楼单室组队期年月日点分:弄巷])"
)
"""A number without 号, right behind a street. 100弄 is a lane: the houses in it are not those of the street."""
BUILDING: Final = re.compile(r"(?:\d{1,2}期)?第?(\d{1,3})(?:栋|幢|座|号楼|#楼?|号(?!院))")
GROUP: Final = re.compile(r"第?(\d{1,2})(?:村民小?组|小?组|队|社)")
JOINER: Final = re.compile(r"(?:与|和|跟|及|、|/|&|\+|交|x|×|-){1,2}")
"""Between two streets that cross."""
STRETCH: Final = re.compile(r"(?:到|至|~|—)")
"""Between two streets that bound a stretch of a third one or of the first."""
BESIDE: Final = re.compile(
    r"(?:往|向|以)?(?:的)?(东南|东北|西南|西北|东|南|西|北)(?:侧|边|面|方向)?(?:约|大约)?(\d{1,4})米|"
    r"(门口|门前|大门|正门|旁边|旁|边上|隔壁|对面|斜对面|附近|周边|一带|后面|背后|前面|里面|内)"
)
"""Where it is from the thing named: a side with metres, or a word."""


def kept_number(text: str) -> str:
    """A number as the book keeps it: １２号之３ and 012-3 are 12-3, 3号楼 is 3; what is no number stays as it is."""
    plain = plain_address(text).replace("之", "-").replace("号-", "-").removesuffix("楼")
    parts = plain.rstrip("号栋幢座组#").split("-")
    return "-".join(part.lstrip("0") or "0" for part in parts) if all(map(str.isdecimal, parts)) else text


def digits(text: str) -> str:
    """The digits of a name, which no slip of the pen may change: 二街 is not 三街."""
    return "".join(c for c in text if c.isdigit())
