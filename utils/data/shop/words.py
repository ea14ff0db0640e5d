"""The words of the embedded shop: departments, product types, attributes and brands. Data only, no rules.

A product type is a line: name | other title words | shoppers' words | attributes | goes with | what it is for.
The last of the shoppers' words appears in test queries alone, so that a ranker is judged on words it never trained on.
"""

TYPES = {
    "Furniture": """
        sofa | couch | settee, divan | colour material seats | coffee table, floor lamp | seating the whole family in the living room
        armchair | lounge chair | easy chair, club chair | colour material style | footstool, floor lamp | reading a book in a quiet corner
        dining table | kitchen table | eating table, supper table | colour wood seats shape | dining chair | family meals
        dining chair | kitchen chair | table seat, side chair | colour material style | dining table | sitting at the table
        coffee table | cocktail table | sofa table, lounge table | colour wood shape | sofa, rug | putting down drinks in front of the couch
        bookcase | bookshelf | shelving unit, book rack | colour wood shelves | desk | keeping novels tidy
        desk | writing table | workstation, study table | colour wood style | desk lamp, office chair | working from home
        office chair | desk chair | swivel chair, task chair | colour material style | desk | sitting at a computer all day""",
    "Bedroom": """
        bed frame | bedstead | bed base, sleeping platform | colour wood bedsize | mattress, bedside table | holding a mattress
        mattress | foam mattress | sleeping pad, bed cushion | firmness bedsize | bed frame, duvet | a good night of sleep
        duvet | comforter | quilt, eiderdown | colour fabric bedsize | pillow | staying warm at night
        pillow | bed pillow | head rest, sleep cushion | fabric firmness | duvet | resting your head
        bedside table | nightstand | night table, bed cabinet | colour wood style | bed frame, desk lamp | an alarm clock by the bed""",
    "Home": """
        floor lamp | standing lamp | standing light, torchiere | colour material style | armchair | light in a dark corner
        desk lamp | table lamp | reading light, study light | colour material power | desk | light while studying
        rug | carpet | floor mat, floor covering | colour fabric shape | sofa, coffee table | covering a bare floor
        curtain | drape | window covering, window panel | colour fabric style | rug | keeping daylight out
        mirror | wall mirror | looking glass, vanity glass | colour shape style | bedside table | checking how you look
        wall clock | hanging clock | timepiece, wall timer | colour shape style | mirror | seeing what time it is""",
    "Kitchen": """
        kettle | electric kettle | water boiler, tea boiler | colour metal capacity | teapot, mug | boiling water for tea
        teapot | tea pot | tea brewer, infuser jug | colour ceramic capacity | kettle, mug | brewing loose leaves
        mug | coffee cup | beaker, drinking cup | colour ceramic capacity | teapot, kettle | a hot drink in the morning
        frying pan | skillet | pan for eggs, cooking pan | colour metal diameter | spatula | frying eggs
        saucepan | cooking pot | stew pot, stock pot | colour metal capacity | frying pan | making soup
        spatula | turner | flipper, pancake lifter | colour metal | frying pan | turning pancakes
        water bottle | drinking bottle | flask, canteen | colour metal capacity | backpack, lunch box | drinking on a hike
        lunch box | bento box | food container, sandwich tin | colour metal capacity | water bottle | taking food to work""",
    "Electronics": """
        phone | smartphone | mobile, handset | colour storage screen model | phone case, charger | calling friends
        phone case | phone cover | mobile shell, handset bumper | colour casematerial fits | charger | protecting a mobile from drops
        charger | charging adapter | power brick, power supply | colour power fits | phone case | filling an empty battery
        laptop | notebook computer | portable computer, ultrabook | colour storage screen | laptop sleeve, mouse | writing code on a train
        laptop sleeve | laptop pouch | computer bag, notebook jacket | colour fabric screen | laptop | protecting a computer in a bag
        headphones | headset | earphones, cans | colour connection style | phone | music without disturbing anybody
        mouse | computer mouse | pointer device, clicker | colour connection | laptop | moving the pointer on a screen""",
    "Clothing": """
        running shoes | trainers | sneakers, joggers | colour size audience | socks | jogging in the park
        boots | hiking boots | walking boots, trekking shoes | colour size audience | socks, backpack | walking in the mountains
        jacket | coat | parka, anorak | colour size audience fabric | scarf | keeping out wind and rain
        jumper | sweater | pullover, knit top | colour size audience fabric | scarf | a chilly evening
        scarf | neck scarf | shawl, neck warmer | colour fabric audience | jacket | a warm neck
        socks | ankle socks | hosiery, foot warmers | colour size audience fabric | boots, running shoes | warm feet""",
    "Sport": """
        backpack | rucksack | daypack, knapsack | colour fabric capacity | water bottle, tent | carrying things on your back
        tent | camping tent | canvas shelter, bivouac | colour season persons | sleeping bag | sleeping outdoors
        sleeping bag | camp bag | mummy bag, bivvy sack | colour season audience | tent | warmth under the stars
        yoga mat | exercise mat | gym mat, stretching pad | colour thickness | water bottle | stretching on the floor
        dumbbell | hand weight | free weight, barbell | colour weight | yoga mat | building muscle""",
    "Pets": """
        dog bed | pet bed | puppy cushion, hound basket | colour fabric petsize | dog lead | a sleeping puppy
        dog lead | dog leash | puppy tether, walking line | colour material petsize | dog bed | walking the puppy
        cat tree | scratching post | climbing tower, kitten tower | colour material petsize | litter box | a cat that scratches the couch
        litter box | cat toilet | kitten tray, sand tray | colour shape petsize | cat tree | a clean home with a kitten
        aquarium | fish tank | fish bowl, vivarium | shape capacity style | litter box | keeping goldfish""",
}

UNSEEN_TYPES = ("yoga mat", "wall clock", "lunch box", "mouse", "bookcase", "scarf")

# attribute -> value -> the words products use; then those shoppers use
ATTRIBUTES = {
    "colour": """
        blue: blue, navy, cobalt; blue, azure
        grey: grey, charcoal, slate; grey, gray
        red: red, crimson, burgundy; red, scarlet
        green: green, olive, emerald; green, forest coloured
        black: black, jet, onyx; black, ebony
        white: white, ivory, snow; white, off-white
        brown: brown, chestnut, mocha; brown, tan
        pink: pink, blush, rose; pink, salmon
        yellow: yellow, mustard, lemon; yellow, golden""",
    "material": "leather: leather, cowhide; leather, real hide | velvet: velvet, velour; velvet, plush | metal: metal, steel; metal, iron | plastic: plastic, polymer; plastic, resin | rattan: rattan, wicker; rattan, cane",
    "wood": "oak: oak, solid oak; oak, oakwood | pine: pine, pinewood; pine, softwood | walnut: walnut, dark walnut; walnut, dark wood | bamboo: bamboo; bamboo, cane wood",
    "fabric": "cotton: cotton, organic cotton; cotton, breathable natural fibre | wool: wool, merino; wool, woollen | polyester: polyester, microfibre; polyester, synthetic | linen: linen, flax; linen, flaxen | down: down, goose down; down, feather",
    "metal": "steel: stainless steel, inox; steel, rustproof | copper: copper; copper, coppery | aluminium: aluminium, alloy; aluminium, light metal | iron: cast iron; iron, heavy iron",
    "ceramic": "porcelain: porcelain, fine china; porcelain, china | stoneware: stoneware, pottery; stoneware, clay | glass: glass, borosilicate; glass, see-through",
    "casematerial": "silicone: silicone, rubber; silicone, soft gel | leather: leather, cowhide; leather, hide | hard: polycarbonate, hard shell; hard, rigid",
    "style": "modern: modern, contemporary; modern, minimalist | vintage: vintage, retro; vintage, old fashioned | rustic: rustic, farmhouse; rustic, country style | industrial: industrial, loft; industrial, factory look",
    "shape": "round: round, circular; round, circle shaped | square: square, cube; square, four equal sides | rectangular: rectangular, oblong; rectangular, long",
    "seats": "2: 2 seater; for two, 2 person | 3: 3 seater; for three, 3 person | 4: 4 seater; for four, 4 person | 6: 6 seater; for six, 6 person",
    "persons": "1: 1 person, solo; for one, single | 2: 2 person; for two, for a couple | 4: 4 person; for four, family of four",
    "shelves": "3: 3 shelves, 3 tier; three shelves, 3 level | 5: 5 shelves, 5 tier; five shelves, 5 level",
    "bedsize": "single: single, 90x200; single, for one | double: double, 140x200; double, for two | king: king, 180x200; king size, extra wide",
    "firmness": "soft: soft, plush; soft, fluffy | medium: medium; medium, not too hard | firm: firm, orthopaedic; firm, hard",
    "capacity": "0.35: 0.35 l, 350 ml; 350ml, small | 0.75: 0.75 l, 750 ml; 750ml, medium | 1.5: 1.5 l, 1500 ml; 1.5 litre, 1.5l | 20: 20 l, 20 litre; 20l, twenty litre",
    "diameter": "20: 20 cm; 20cm, small | 24: 24 cm; 24cm, medium | 28: 28 cm; 28cm, large",
    "power": "10: 10 W, 10 watt; 10w, low power | 30: 30 W, 30 watt; 30w, fast | 65: 65 W, 65 watt; 65w, powerful",
    "storage": "128: 128 GB; 128gb, 128 gigabytes | 256: 256 GB; 256gb, 256 gigabytes | 512: 512 GB; 512gb, half a terabyte",
    "screen": "6: 6 inch; 6in, compact screen | 13: 13 inch; 13in, small screen | 15: 15 inch; 15in, big screen",
    "connection": "wireless: wireless, bluetooth; wireless, cordless | wired: wired, USB; wired, with cable",
    "size": "S: size S, small; small, s | M: size M, medium; medium, m | L: size L, large; large, l | XL: size XL, extra large; extra large, xl",
    "audience": "men: men, mens; for men, for him | women: women, ladies; for women, for her | kids: kids, children; for kids, for my son",
    "season": "summer: summer, lightweight; summer, warm weather | winter: winter, insulated; winter, freezing cold | all: all season, 3 season; all year, every season",
    "thickness": "4: 4 mm, thin; 4mm, thin | 8: 8 mm, standard; 8mm, normal | 15: 15 mm, extra thick; 15mm, thick",
    "weight": "2: 2 kg; 2kg, two kilo | 5: 5 kg; 5kg, five kilo | 10: 10 kg; 10kg, ten kilo",
    "petsize": "small: small breed, small; small, tiny | medium: medium breed, medium; medium, mid sized | large: large breed, large; large, big",
    "model": "A: Zenta A5; zenta a5 | B: Zenta A7; zenta a7 | C: Orvo One; orvo one | D: Orvo Max; orvo max | E: Kilo 12; kilo 12 | F: Kilo 14; kilo 14",
    "fits": "A: for Zenta A5; for zenta a5, zenta a5 | B: for Zenta A7; for zenta a7, zenta a7 | C: for Orvo One; for orvo one, orvo one | D: for Orvo Max; for orvo max, orvo max | E: for Kilo 12; for kilo 12, kilo 12 | F: for Kilo 14; for kilo 14, kilo 14",
}

BRANDS = (
    "Brenvik", "Calluna", "Dorvane", "Elmswick", "Fjordal", "Grentham", "Hollune", "Ivarra", "Jorvex", "Kestrin",
    "Lumora", "Marvolt", "Nordell", "Ostrana", "Pellmoor", "Quillon", "Ravelle", "Sundmark", "Tavisk", "Umbriel",
    "Valdura", "Wexcombe", "Yarrowby", "Zephrin",
)  # fmt: skip
