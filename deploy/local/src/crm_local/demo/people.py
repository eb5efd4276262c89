"""The made-up people and companies of the demo. The same seed gives the same week."""

import random
from dataclasses import dataclass
from typing import Final

_SURNAMES: Final = "王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 马 朱 胡 林 郭 何 高 罗 欧阳 司马 诸葛 上官".split()
_GIVEN: Final = (
    "伟 芳 娜 敏 静 丽 强 磊 洋 艳 勇 杰 晓梅 志强 建国 雨桐 子涵 思远 一诺 浩然 欣怡 文博 佳琪 明轩".split()
)
_WESTERN_FIRST: Final = "Anna Ben Clara David Elena Felix Greta Hugo Iris Jonas Lena Marco Nora Oscar Paula Tom".split()
_WESTERN_LAST: Final = (
    "Bauer Carter Dubois Evans Fischer García Hansen Ivanova Jensen Keller Moreau Novak Rossi".split()
)
_COMPANIES: Final = (
    ("杭州云帆科技有限公司", "yunfan", "软件"),
    ("苏州清泉净水设备有限公司", "qingquan", "制造"),
    ("深圳前海星辰贸易有限公司", "xingchen", "贸易"),
    ("北京青禾教育咨询有限公司", "qinghe", "教育"),
    ("成都蜀味餐饮管理有限公司", "shuwei", "餐饮"),
    ("上海远航物流有限公司", "yuanhang", "物流"),
    ("Keller Wassertechnik GmbH", "keller", "Manufacturing"),
    ("Moreau & Fils SARL", "moreau", "Retail"),
    ("Northwind Traders Ltd", "northwind", "Trade"),
    ("广州南粤医疗器械有限公司", "nanyue", "医疗"),
    ("武汉光谷精密仪器有限公司", "guanggu", "制造"),
    ("厦门海蓝旅行社有限公司", "hailan", "旅游"),
)
PRODUCTS: Final = (
    ("滤芯", "FLT-01", "99.50"),
    ("净水器", "WPU-02", "1999.00"),
    ("年度保养", "SVC-12", "680.00"),
    ("安装服务", "SVC-01", "260.00"),
    ("智能水龙头", "TAP-07", "459.00"),
)
QUESTIONS: Final = (
    "无法登录",
    "滤芯多久更换一次？",
    "发票抬头修改",
    "Delivery is late",
    "安装后漏水",
    "Which filter fits?",
)
ANSWERS: Final = (
    "您好，已为您处理，请重试。",
    "一般六个月更换一次。",
    "We have shipped it again today.",
    "师傅将于明天上门。",
)


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    email: str
    phone: str | None


class Cast:
    """Draws people and companies from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  nothing secret is drawn

    def companies(self) -> list[dict[str, object]]:
        return [
            {"name": name, "domain": f"{slug}.example.com", "industry": industry, "size": self.random.randint(5, 900)}
            for name, slug, industry in _COMPANIES
        ]

    def person(self, number: int) -> Person:
        if self.random.random() < 0.7:
            name = self.random.choice(_SURNAMES) + self.random.choice(_GIVEN)
            return Person(name, f"u{number}@mail.example.cn", f"138{number:08d}")
        name = f"{self.random.choice(_WESTERN_FIRST)} {self.random.choice(_WESTERN_LAST)}"
        slug = "".join(part.lower() for part in name.split() if part.isascii()) or "guest"
        return Person(name, f"{slug}.{number}@mail.example.com", None)

    def lines(self) -> list[dict[str, object]]:
        return [
            {
                "name": name,
                "sku": sku,
                "quantity": str(self.random.randint(1, 5)),
                "unit_price": {"amount": price, "currency": "CNY"},
            }
            for name, sku, price in self.random.sample(PRODUCTS, self.random.randint(1, 3))
        ]
