"""What the tests of the page share: limits, where screenshots go, texts of several scripts, and a tab."""

from utils import settings

MAX_TOKENS = 32
SHOTS = settings.ARTIFACTS / "edge_web" / "screenshots"
LANGUAGES = [
    "grüner Ohrensessel für das Wohnzimmer, 80 cm",
    "chaise pliante d’été en bois – légère & naïve",
    "zapatillas de niño talla 36, ¡muy cómodas!",
    "綿の靴下 メンズ 25cm 黒",
    "ﾃﾚﾋﾞ台 ＴＶラック ３段",
    "красные кроссовки для бега, размер 42",
    "कपास की लाल साड़ी मुफ़्त",
    "กระเป๋าผ้าใบสีน้ำเงินขนาดใหญ่",
    "حقيبة جلدية سوداء للنساء",
    "휴대용 무선 스피커 방수",
    "Đèn bàn gỗ sồi, ánh sáng ấm",
    "İSTANBUL ışıklı masa lambası",
    "naïve café — “smart” 4K TV (50″) ½ price ™",
    "emoji 👟👟 sneakers ❤️ size 9",
    "soft\u00adhyphen zero\u200dwidth A\u030angstro\u0308m",
]


def new_tab(browser):
    """A tab of a browser that has seen nothing yet; `asked` and `complaints` grow with its requests and its console."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.asked, page.complaints = [], []
    context.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    return page
