"""What the tests of the page share: limits, where screenshots go, and texts of several languages and scripts."""

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
