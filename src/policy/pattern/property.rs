//! Sets of characters by what Unicode says of them, in the version that Go 1.26 has: 15.0.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// General categories; Go knows them by these names, in any case.
const CATEGORIES: [&str; 38] = [
    "C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "LC", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N",
    "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl",
    "Zp", "Zs",
];
/// And by these, with hyphens, underscores and spaces in them or not.
const ALIASES: [(&str, &str); 42] = [
    ("casedletter", "LC"),
    ("closepunctuation", "Pe"),
    ("combiningmark", "M"),
    ("connectorpunctuation", "Pc"),
    ("control", "Cc"),
    ("currencysymbol", "Sc"),
    ("dashpunctuation", "Pd"),
    ("decimalnumber", "Nd"),
    ("enclosingmark", "Me"),
    ("finalpunctuation", "Pf"),
    ("format", "Cf"),
    ("initialpunctuation", "Pi"),
    ("letter", "L"),
    ("letternumber", "Nl"),
    ("lineseparator", "Zl"),
    ("lowercaseletter", "Ll"),
    ("mark", "M"),
    ("mathsymbol", "Sm"),
    ("modifierletter", "Lm"),
    ("modifiersymbol", "Sk"),
    ("nonspacingmark", "Mn"),
    ("number", "N"),
    ("openpunctuation", "Ps"),
    ("other", "C"),
    ("otherletter", "Lo"),
    ("othernumber", "No"),
    ("otherpunctuation", "Po"),
    ("othersymbol", "So"),
    ("paragraphseparator", "Zp"),
    ("privateuse", "Co"),
    ("punctuation", "P"),
    ("separator", "Z"),
    ("spaceseparator", "Zs"),
    ("spacingmark", "Mc"),
    ("surrogate", "Cs"),
    ("symbol", "S"),
    ("titlecaseletter", "Lt"),
    ("unassigned", "Cn"),
    ("uppercaseletter", "Lu"),
    ("cntrl", "Cc"),
    ("digit", "Nd"),
    ("punct", "P"),
];
/// Scripts of Unicode 15.0 that have one word for a name: Go 1.26 finds no others.
const SCRIPTS: &str = "adlam ahom arabic armenian avestan balinese bamum batak bengali bhaiksuki bopomofo \
    brahmi braille buginese buhid carian chakma cham cherokee chorasmian common coptic cuneiform cypriot \
    cyrillic deseret devanagari dogra duployan elbasan elymaic ethiopic georgian glagolitic gothic grantha \
    greek gujarati gurmukhi han hangul hanunoo hatran hebrew hiragana inherited javanese kaithi kannada \
    katakana kawi kharoshthi khmer khojki khudawadi lao latin lepcha limbu lisu lycian lydian mahajani \
    makasar malayalam mandaic manichaean marchen medefaidrin miao modi mongolian mro multani myanmar \
    nabataean nandinagari newa nko nushu ogham oriya osage osmanya palmyrene phoenician rejang runic \
    samaritan saurashtra sharada shavian siddham sinhala sogdian soyombo sundanese syriac tagalog tagbanwa \
    takri tamil tangsa tangut telugu thaana thai tibetan tifinagh tirhuta toto ugaritic vai vithkuqi wancho \
    yezidi yi";
/// Characters that got another case after Unicode 15.0, or came in with one.
const NEW_CASES: [(u32, u32); 12] = [
    (0x019b, 0x019b),
    (0x0264, 0x0264),
    (0x0390, 0x0390),
    (0x03b0, 0x03b0),
    (0x1c89, 0x1c8a),
    (0x1fd3, 0x1fd3),
    (0x1fe3, 0x1fe3),
    (0xa7cb, 0xa7cd),
    (0xa7da, 0xa7dc),
    (0xfb05, 0xfb06),
    (0x10d50, 0x10d65),
    (0x10d70, 0x10d85),
];
/// The one character whose category changed since: from `Mn` to `Mc`.
const MOVED: u32 = 0x1171e;

/// What `\p{name}` stands for; none if Go does not know it.
pub(super) fn property(name: &str) -> Option<ClassUnicode> {
    let mut key = name.replace(['_', '-', ' '], "");
    key.make_ascii_lowercase();
    match key.as_str() {
        "any" => return Some(of_range(0, u32::from(char::MAX))),
        "ascii" => return Some(of_range(0, 0x7f)),
        "assigned" => {
            let mut class = category("Cn")?;
            class.negate();
            return Some(class);
        }
        _ => {}
    }
    let aliased = ALIASES.iter().find(|(alias, _)| *alias == key).map(|(_, category)| *category);
    if let Some(known) = aliased.or_else(|| CATEGORIES.into_iter().find(|c| c.eq_ignore_ascii_case(&key))) {
        return category(known);
    }
    let known = SCRIPTS.split(' ').any(|script| script == key);
    known.then(|| parsed(&format!(r"[\p{{sc={key}}}&&\p{{age=15.0}}]"))).flatten()
}

/// What came after Unicode 15.0 is unassigned.
fn category(name: &str) -> Option<ClassUnicode> {
    let mut class = match name {
        "C" | "Cn" => parsed(&format!(r"[\p{{gc={name}}}\P{{age=15.0}}]"))?,
        // Rust has no name for these, and no value has one of them.
        "Cs" => ClassUnicode::empty(),
        _ => parsed(&format!(r"[\p{{gc={name}}}&&\p{{age=15.0}}]"))?,
    };
    match name {
        "Mc" => class.difference(&of_range(MOVED, MOVED)),
        "Mn" => class.union(&of_range(MOVED, MOVED)),
        _ => {}
    }
    Some(class)
}

/// Adds all other cases of what is in the set.
pub(super) fn fold(class: &mut ClassUnicode) {
    let mut folded = class.clone();
    for (low, high) in NEW_CASES {
        folded.difference(&of_range(low, high));
    }
    folded.case_fold_simple();
    class.union(&folded);
}

/// Code points, of which surrogates are left out: no value has them.
pub(super) fn of_range(low: u32, high: u32) -> ClassUnicode {
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    let range = (low <= high).then(|| ClassUnicodeRange::new(low, high));
    ClassUnicode::new(range)
}

fn parsed(class: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(class).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        // A class of one character.
        HirKind::Literal(literal) => {
            let text = str::from_utf8(&literal.0).ok()?;
            Some(ClassUnicode::new(text.chars().map(|c| ClassUnicodeRange::new(c, c))))
        }
        _ => None,
    }
}
