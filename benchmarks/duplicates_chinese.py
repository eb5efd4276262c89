"""Contacts of China, as `duplicates_data.py` makes contacts: homophones, traditional characters, pinyin, exchanged names,
short addresses and companies.
"""

import random
from dataclasses import replace

from duplicates_data import Error, Record, birthday, slipped, without, written_again, zipf
from opencc import OpenCC
from pypinyin import lazy_pinyin

_TO_TRADITIONAL = OpenCC("s2t")

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔"
)
_COMPOUND = ("欧阳", "司马", "上官", "诸葛", "夏侯")
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰涛明超霞平刚桂英华玉兰梅红建国志文辉鹏飞宇浩轩梓涵子欣怡佳琪雨婷晓小春秋冬海波峰"
    "锋雪燕云龙凤金银成功永安宁康乐德义仁信思远博学诗琴瑶珊珍莉"
)
_HOMOPHONES = (
    "伟玮炜", "芳方", "娜那", "敏闵", "静婧靖", "丽莉俐", "磊垒", "军君钧", "洋阳扬", "艳燕彦", "杰洁婕", "涛滔", "明铭鸣",
    "霞侠", "平萍苹", "刚钢", "英瑛颖", "玉钰育", "兰岚", "梅玫", "红虹宏", "建健", "志智致", "文雯", "辉晖慧", "鹏朋",
    "飞菲", "宇羽雨", "浩皓昊", "涵含", "子梓紫", "欣心新", "怡仪宜", "佳嘉", "琪棋淇", "婷庭", "晓小筱", "峰锋丰", "云芸",
    "成诚", "永勇咏", "思斯", "远源", "诗施", "瑶遥", "珊姗", "珍真",
)  # fmt: skip
_ALIKE = {each: [other for other in group if other != each] for group in _HOMOPHONES for each in group}

_PLACES = (
    ("北京市", "北京市", "朝阳区 海淀区 东城区 丰台区", "1000"), ("上海市", "上海市", "浦东新区 徐汇区 静安区 闵行区", "2000"),
    ("广东省", "广州市", "天河区 越秀区 番禺区", "5100"), ("广东省", "深圳市", "南山区 福田区 龙岗区", "5180"),
    ("浙江省", "杭州市", "西湖区 拱墅区 滨江区 余杭区", "3100"), ("江苏省", "南京市", "玄武区 鼓楼区 江宁区", "2100"),
    ("江苏省", "苏州市", "姑苏区 吴中区 昆山市", "2150"), ("四川省", "成都市", "锦江区 武侯区 青羊区", "6100"),
    ("湖北省", "武汉市", "江汉区 武昌区 洪山区", "4300"), ("陕西省", "西安市", "雁塔区 碑林区 莲湖区", "7100"),
    ("广西壮族自治区", "南宁市", "青秀区 兴宁区", "5300"), ("重庆市", "重庆市", "渝中区 江北区 南岸区", "4000"),
)  # fmt: skip
_ROADS = (
    "人民路 解放路 中山路 建设路 文三路 长江路 和平街 新华路 北京路 南京路 科技路 创新大道 学院路 滨河路 东风路 花园街 "
    "胜利路 青年路 迎宾大道 友谊路 光明街 幸福路 工业路 体育路 朝阳街 西湖大道 高新路 望江路 虹桥路 延安路"
).split()
_BUSINESSES = (
    "星河 远大 华兴 天元 鼎盛 博雅 锦绣 恒信 金鼎 东方 宏图 联创 万通 瑞丰 中科 海润 创智 飞翔 佳美 永泰".split()
)
_TRADES = "科技 贸易 电子 信息技术 网络 食品 建材 物流 医疗器械 文化传媒".split()
_MAIL_HOSTS = ("qq.com", "163.com", "126.com", "sina.com", "gmail.com", "foxmail.com")


def chinese(seed: int = 11, people: int = 2_500) -> list[Record]:
    random_ = random.Random(seed)
    known: list[Record] = []
    while len(known) < people:
        home, firm = _chinese_home(random_), _chinese_company(random_)
        number = f"1{random_.choice('3578')}{random_.randrange(10**9):09}"
        person = _chinese_person(random_, len(known), home, firm, number)
        known.append(person)
        kind = random_.random()
        if kind < 0.08:  # a relative at home, sometimes with the same telephone
            relative = _chinese_person(random_, len(known), home, _chinese_company(random_), "")
            relative = replace(relative, last_name=person.last_name, full_name=person.last_name + relative.first_name)
            phone = number if random_.random() < 0.4 else relative.phone
            known.append(replace(relative, phone=phone))
        elif kind < 0.16:  # a colleague
            known.append(_chinese_person(random_, len(known), _chinese_home(random_), firm, ""))
        elif kind < 0.22:  # a namesake
            other = _chinese_person(random_, len(known), _chinese_home(random_), _chinese_company(random_), "")
            known.append(
                replace(other, first_name=person.first_name, last_name=person.last_name, full_name=person.full_name)
            )
    return [_some_missing(random_, record) for record in written_again(random_, known, 0.35, _CHINESE_ERRORS)]


def _some_missing(random_: random.Random, record: Record) -> Record:
    """Few know all of somebody."""
    gone = {"birthday": 0.6, "street": 0.3, "company": 0.35, "email": 0.4, "postal_code": 0.6, "phone": 0.1}
    return replace(record, **{name: "" for name, share in gone.items() if random_.random() < share})


def _chinese_home(random_: random.Random) -> Record:
    region, city, districts, code = _zipf_place(random_)
    flat = f"{random_.randint(1, 30)}栋{random_.randint(1, 25)}{random_.randint(1, 4):02}室"
    street = f"{random_.choice(_ROADS)}{random_.randint(1, 400)}号{flat if random_.random() < 0.6 else ''}"
    return Record(
        person="",
        street=street,
        district=random_.choice(districts.split()),
        city=city,
        region=region,
        postal_code=f"{code}{random_.randint(0, 99):02}",
    )


def _zipf_place(random_: random.Random) -> tuple[str, str, str, str]:
    return random_.choices(_PLACES, weights=[1 / (rank + 3) for rank in range(len(_PLACES))])[0]


def _chinese_company(random_: random.Random) -> str:
    seat = random_.choice(_PLACES)[1].removesuffix("市")
    form = random_.choice(("有限公司", "有限责任公司", "股份有限公司"))
    return f"{seat}{random_.choice(_BUSINESSES)}{random_.choice(_TRADES)}{form}"


def _chinese_person(random_: random.Random, number: int, home: Record, company: str, phone: str) -> Record:
    surname = random_.choice(_COMPOUND) if random_.random() < 0.02 else zipf(random_, _SURNAMES)
    given = "".join(zipf(random_, _GIVEN) for _ in range(random_.choices((1, 2), weights=(1, 3))[0]))
    local = "".join(lazy_pinyin(surname + given)) + str(random_.randint(1, 9999))
    if random_.random() < 0.4:
        local = str(random_.randint(10**7, 10**10))
    return replace(
        home,
        person=f"c{number}",
        first_name=given,
        last_name=surname,
        full_name=surname + given,
        email=f"{local}@{zipf(random_, _MAIL_HOSTS)}",
        phone=phone or f"1{random_.choice('3578')}{random_.randrange(10**9):09}",
        birthday=birthday(random_),
        company=company,
    )


def _named(record: Record, last: str, first: str, full: str) -> Record:
    return replace(record, last_name=last, first_name=first, full_name=full)


def _homophone(random_: random.Random, record: Record) -> Record:
    places = [at for at, each in enumerate(record.first_name) if each in _ALIKE]
    if not places:
        return record
    at = random_.choice(places)
    given = record.first_name[:at] + random_.choice(_ALIKE[record.first_name[at]]) + record.first_name[at + 1 :]
    return _named(record, record.last_name, given, record.last_name + given)


def _traditional(_random: random.Random, record: Record) -> Record:
    last, first = _TO_TRADITIONAL.convert(record.last_name), _TO_TRADITIONAL.convert(record.first_name)
    full = _TO_TRADITIONAL.convert(record.full_name)
    return replace(_named(record, last, first, full), city=_TO_TRADITIONAL.convert(record.city))


def _in_pinyin(random_: random.Random, record: Record) -> Record:
    if record.first_name.isascii():
        return record
    parts = lazy_pinyin(record.first_name)
    given = random_.choice(("".join(parts), " ".join(parts), "-".join(parts))).title()
    last = "".join(lazy_pinyin(record.last_name)).title()
    return _named(record, last, given, random_.choice((f"{last} {given}", f"{given} {last}")))


def _names_exchanged(_random: random.Random, record: Record) -> Record:
    han = not record.first_name.isascii()
    full = record.first_name + record.last_name if han else f"{record.last_name} {record.first_name}"
    return _named(record, record.first_name, record.last_name, full)


def _phone_form(random_: random.Random, record: Record) -> Record:
    form = random_.choice(("+86 {}", "0086{}", "86-{}", "{}"))
    return replace(record, phone=form.format(record.phone)) if record.phone else record


def _company_short(random_: random.Random, record: Record) -> Record:
    short = record.company
    for form in ("股份有限公司", "有限责任公司", "有限公司"):
        short = short.removesuffix(form)
    return replace(record, company=short[2:] if random_.random() < 0.4 else short)


def _address_short(random_: random.Random, record: Record) -> Record:
    short = {
        "region": record.region.removesuffix("省").removesuffix("壮族自治区"),
        "city": record.city.removesuffix("市"),
    }
    street = record.street.replace("栋", "-").removesuffix("室")
    match random_.randrange(3):
        case 0:
            return replace(record, **short, district=record.district.removesuffix("区"))
        case 1:
            return replace(record, **{**short, "region": ""}, district="", street=street)
        case _:
            whole = (
                f"{record.region if record.region != record.city else ''}{record.city}{record.district}{record.street}"
            )
            return replace(record, region="", city="", district="", street=whole)


def _moved(random_: random.Random, record: Record) -> Record:
    home = _chinese_home(random_)
    return replace(home, **{name: getattr(record, name) for name in _OF_THE_PERSON})


_OF_THE_PERSON = ("person", "first_name", "last_name", "full_name", "email", "phone", "birthday", "company")


def _other_mail(random_: random.Random, record: Record) -> Record:
    return replace(record, email=f"{random_.randint(10**7, 10**10)}@{zipf(random_, _MAIL_HOSTS)}")


_CHINESE_ERRORS: list[tuple[float, Error]] = [
    (3, _homophone),
    (2, _traditional),
    (3, _in_pinyin),
    (2, _names_exchanged),
    (2, slipped("phone", "0123456789")),
    (3, _phone_form),
    (3, _company_short),
    (4, _address_short),
    (1, _moved),
    (1.5, _other_mail),
    (1, slipped("email")),
    (1, slipped("birthday", "0123456789")),
    (2, without("email")),
    (1, without("phone")),
]
