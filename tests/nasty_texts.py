"""Texts that tell two tokenisers apart: what BERT tokenisers (slow, fast, keras-nlp's, TensorFlow Text's) read in different ways."""

from __future__ import annotations

NASTY: tuple[str, ...] = (
    # Nothing, and nearly nothing
    "",
    " ",
    "\t\n\r \u00a0\u2003\u3000",
    "\u200b",
    "\x00",
    "\ufffd",
    # Control characters and NUL inside words; the ones that BERT takes as white space
    "ca\x00rd ca\x07rd ca\x1brd ca\x7frd ca\x85rd",
    "card\tlost\nagain\r\nhelp\x0bme\x0cnow",
    "line\u2028separator paragraph\u2029separator",
    # White space that is not ASCII
    "10\u00a0000\u202f€ no\u2009break\u2060space\u1680ogham\u205fmath\u3000wide",
    # Zero-width, soft hyphen, byte order mark, directions
    "zero\u200bwidth\u200cjoin\u200der\ufeffbom soft\u00adhyphen \u180emongolian",
    "\ufeffstarts with a byte order mark",
    "\u202eright to left override\u202c \u2066isolate\u2069 \u200f\u200e",
    # Special pieces typed by a user
    "[CLS] what is [MASK]? [SEP] [PAD] [UNK] [unused0]",
    "[SEP][SEP]##[MASK]",
    "##ing ## # ### ##a#b",
    # Punctuation: ASCII symbols that Unicode does not call punctuation, and others
    "$5+5=^10`|~<b>bold</b>",
    "wait\u2026 what\u203d \u00a1hola! \u00bfqu\u00e9? \u201cquotes\u201d \u2018single\u2019 en\u2013dash em\u2014dash",
    "1\u2044 2 \u20ac5 \u00a35 \u00a55 5\u00b0 \u00a7 7 \u00b6 \u2022 \u2020 \u2030",
    "\u3001\u3002\uff01\uff1f\uff0c\u300c\u300d\u30fb\u3014\u3015\u2e2e\u2e3b\u05be\u060c\u061b\u061f\u0964\u104a\u1367",
    "\u2e4f\u2e52\U00010f55\U0001da87",  # punctuation of newer Unicode than some tables
    # Accents, composed and decomposed, stacked, on nothing, in an order that NFD changes
    "caf\u00e9 cafe\u0301 CAF\u00c9 na\u00efve \u00c5ngstr\u00f6m \u212bngstr\u00f6m",
    "Z\u0351\u036b\u0343\u036a\u0302\u0329\u0330a\u034d\u0319l\u0317g\u0321\u0327o\u0360!",
    "\u0301 \u0301a \u0301",
    "q\u0307\u0323 q\u0323\u0307 \u1e69 s\u0323\u0307 \u1e9b\u0323",
    "\u0344 \u0345 a\u0345\u0301",
    "vi\u1ec7t nam ti\u1ebfng Vi\u1ec6T",
    # Marks that stay (spacing, or newer than the categories' table) and are sorted
    "\u1b44\u302e \u302e\u1b44 a\u302f\u1baaa\u1baa\u302f",
    "\U0001d158\U0001d16d\U0001d165 \U0001d15e \U0001d1bb \U0001d15f\U0001d165\U0001d16d",
    "x\u08d4\U0001e94ay x\U0001e94a\u08d4y x\u1dfb\U00011446\u0301\U00011c3fy",
    "x\U0001d16d\u0900\U0001d165y x\U0001d16d\u0301\U0001d165y",  # a dropped mark of class 0 stands between, one of class 230 does not
    # Case: dotted and dotless I, sharp s, final sigma, titlecase, letters whose other case is longer or elsewhere
    "\u0130stanbul I\u0307 D\u0131\u015f \u0131 i\u0307 DIYARBAKIR",
    "Stra\u00dfe STRASSE \u1e9e \u00df",
    "\u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03cc\u03c2 \u03a3 \u03a3\u03a3 A\u03a3 \u03a3. \u03a3\u0301A",
    "\u01c4 \u01c5 \u01c6 \u212a \u017f \u2126 \u1fbc \u1f88 \u0149 \u01f0",
    "\u13a0\uab70 \u10a0\u2d00 \u1c90\u10d0 \U00010400\U00010428 \U0001e900\U0001e922",
    "\ua7dc \u0264 \ua7cb \U00010d50\U00010d70",  # cased pairs of Unicode 16
    # Compatibility forms, which BERT does not fold
    "\ufb01nance \ufb03 \uff26\uff55\uff4c\uff4c \uff57\uff49\uff44\uff54\uff48 \uff11\uff12\uff13 \uff71\uff72\uff73",
    "x\u00b2 \u2075 \u2460 \u2163 \u00bd \u2122 \u2120 \u33a1 \u210c \U0001d400\U0001d41b\U0001d552",
    # East Asia: ideographs of every block, those that BERT does not know as such, kana, Hangul composed and in jamo
    "\u6211\u7684\u5361\u4e22\u4e86 my\u5361card",
    "\u3400\u4dbf\u4e00\u9fff\uf900\ufa6d\ufad9\U00020000\U0002a6df\U0002a700\U0002b820\U0002ceb0\U0002f800\U0002fa1d\U00030000\U000323b0",
    "\u304c\u304b\u3099 \u30d1\u30cf\u309a \uff76\uff9e \u3070\u3093\u3054\u306f",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab\u1100\u116e\u11a8 \uac00 \uac01 \ud7a3 \u3131 \uffa1",
    "\u2e80\u2f00\u3005\u3007\u3021\u31c0",
    # Right to left, Indic, South East Asia
    "\u0623\u064e\u0647\u0652\u0644\u064b\u0627 \u0628\u0650\u0643\u064f\u0645\u0652",
    "\u0627\u0644\u0628\u0637\u0627\u0642\u0629 \u06f1\u06f2\u06f3",
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05db\u05e8\u05d8\u05d9\u05e1 \ufb2a\ufb4b",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u093c \u0958 \u0995\u09cb \u0995\u09c7\u09be",
    "\u0ba8\u0bbf \u0b95\u0bca \u0d15\u0d4a \u0ddd",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0e01\u0e33 \u0ea2\u0eb3 \u1780\u17c6\u17bb\u17d2 \u1019\u103c\u1014\u103a\u1019\u102c",
    "\u0f51\u0f40\u0f60\u0f0b\u0f56\u0f0b \u0f73 \u0f75 \u0f81 \u0f71\u0f72",
    # Emoji: variation selectors, keycaps, skin tones, joined families, flags, tags
    "\u2764\ufe0f \u2764 1\ufe0f\u20e3 \U0001f44d\U0001f3fd",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466lost\U0001f62d\U0001f62dcard",
    "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\U0001fae9 \U0001facf \U0001f6dc",
    # Private, unassigned, non-characters, the ends of planes
    "a\ue000b a\uf8ffb a\U000f0000b a\U0010fffdb",
    "a\u0378b a\ufdd0b a\ufffeb a\uffffb a\U0001fffeb a\U0001ffffb a\U000ffffeb a\U0010ffffb a\U00050000b",
    "\ufff9note\ufffa \ufffc",
    # Long words: 99, 100 and 101 characters; bytes over 100 but characters under; a word that marks make long; long runs
    "a" * 99 + " " + "a" * 100 + " " + "a" * 101,
    "\u0436" * 100 + " " + "\u0436" * 101 + " " + "\U0001f600" * 60,
    ("e\u0301" * 100) + " " + ("e\u0301" * 101),
    "\uac00" * 50 + " " + "\uac00" * 51,
    "x" * 5000,
    "!" * 300,
    "http://www.example.com/a/very/long/path?with=a&query=string#" + "0123456789abcdef" * 12,
    "card " * 600 + "lost",
    " " * 3000 + "card",
    # Everyday mess
    "I've been waiting 3 weeks!!!1 WHERE IS MY CARD?!?!?! :-( <3",
    "pls   help\u2026 my acc0unt (#12-34/56_b) is blocked\\nfor $1,000.50 @ 5.5%",
    "don\u2019t o\u02bcclock rock\u2032n\u2032roll l\u2019\u00e9t\u00e9",
)

# Web addresses and what looks like them.
ADDRESSES = (
    "$BYND falls https://t.co/bd0xbFGjkT",
    "https://t.co/a http://b.example/c?d=e#f,g;h",
    "HTTPS://X.Y and hTTp://z",
    "seehttps://x.co/1now",
    "(https://x.co/1) und größehttps://x.co/größe",
    "http:// alone, https:/x, ftp://x.co, www.x.co",
    "ſhttpſ://x httpſ://x",
    "https://x.co/\u2028after https://x.co/\u00a0after",
)
