use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::config::At;

/// Any names and texts.
type Texts = BTreeMap<String, At<Option<String>>>;

#[derive(Debug, Deserialize)]
struct Part {
    name: Option<At<String>>,
    texts: Option<Texts>,
    parts: Option<Vec<At<Part>>>,
}

fn texts(text: &str) -> Vec<Vec<String>> {
    let documents = documents::<Texts>(text).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"));
    let shown = |(name, value): (String, At<Option<String>>)| {
        format!(
            "{name}={}@{}:{}",
            value.value.unwrap_or("-".into()),
            value.position.line,
            value.position.column
        )
    };
    documents.into_iter().map(|texts| texts.into_iter().map(shown).collect()).collect()
}

fn refused<T: DeserializeOwned>(text: &str) -> (u32, u32, String) {
    let refusal = documents::<T>(text).err().unwrap_or_else(|| panic!("{text}: read"));
    (refusal.position.line, refusal.position.column, refusal.message)
}

#[test]
fn scalars_are_texts_as_they_are_written() {
    let text = "a: 5\nb: 0x1F\nc: true\nd: 1.50\ne: '5'\nf: !x 5\ng: !!int 5\nh: ~\ni:\nj: ''\nk: !!str ~\nl: null\n";
    assert_eq!(
        texts(text),
        [[
            "a=5@1:4",
            "b=0x1F@2:4",
            "c=true@3:4",
            "d=1.50@4:4",
            "e=5@5:4",
            "f=5@6:7",
            "g=5@7:10",
            "h=-@8:4",
            "i=-@9:2",
            "j=@10:4",
            "k=~@11:10",
            "l=-@12:4"
        ]]
    );
}

#[test]
fn documents_without_anything_are_left_out() {
    assert_eq!(texts("---\n---\na: 1\n--- ~\n--- null\n---\nb: 2\n"), [["a=1@3:4"], ["b=2@7:4"]]);
    assert_eq!(texts("# nothing\n"), Vec::<Vec<String>>::new());
}

#[test]
fn merged_keys_come_after_those_that_are_written_and_the_first_one_counts() {
    let text = "a: 1\n<<: [ { b: 2, a: x }, { b: y, c: 3 } ]\nd: 4\n";
    assert_eq!(texts(text), [["a=1@1:4", "b=2@2:12", "c=3@2:34", "d=4@3:4"]]);
    let nested = "texts: &t { <<: &u { a: 1 }, b: 2 }\nparts: [ { texts: { <<: *t, c: 3 } } ]\n";
    let part = documents::<Part>(nested).unwrap().remove(0);
    let inner = part.parts.unwrap().remove(0);
    let inner: Vec<String> = inner.value.texts.unwrap().into_keys().collect();
    assert_eq!(inner, ["a", "b", "c"]);
    let told = "not valid YAML: YAML merge value must be mapping or sequence of mappings";
    assert_eq!(refused::<Texts>("a: 1\n<<: 5\n"), (2, 5, told.into()));
    assert_eq!(texts("<<: ~\na: 1\n"), [["a=1@2:4"]]);
}

#[test]
fn all_of_an_alias_stands_where_it_is_used() {
    let text = "parts:\n- &p { name: a, parts: [ { name: b } ] }\n- *p\n- { parts: [ *p ], name: [x] }\n";
    let part = documents::<Part>(&text.replace("[x]", "y")).unwrap().remove(0);
    let parts = part.parts.unwrap();
    let places = |part: &At<Part>| {
        let name = part.value.name.as_ref().map(|name| name.position);
        let inner = &part.value.parts.as_ref().unwrap()[0];
        [Some(part.position), name, Some(inner.position), inner.value.name.as_ref().map(|name| name.position)]
            .map(|place| place.map_or((0, 0), |place| (place.line, place.column)))
    };
    assert_eq!(places(&parts[0]), [(2, 6), (2, 14), (2, 26), (2, 34)]);
    assert_eq!(places(&parts[1]), [(3, 3); 4]);
    assert_eq!(refused::<Part>(text), (4, 26, "expected a single value here".into()));
    let wrong = "parts: [ { name: &n [] }, { name: *n } ]";
    assert_eq!(refused::<Part>(wrong), (1, 21, "expected a single value here".into()));
    let wrong = "texts: &n []\nname: *n\n";
    assert_eq!(refused::<Part>(wrong), (1, 11, "expected a mapping (`key: value`) here".into()));
    let wrong = "other: &n []\nname: *n\n";
    assert_eq!(refused::<Part>(wrong), (2, 7, "expected a single value here".into()));
}

#[test]
fn the_first_mistake_of_a_file_is_told_with_its_place() {
    for (text, told) in [
        ("a: [ 1 ]\nb: }", (1, 4, "expected a single value here")),
        ("a: b\n---\n- c", (3, 1, "expected a mapping (`key: value`) here")),
        ("a: b\n---\na: [\n", (3, 4, "expected a single value here")),
        ("a: b\n---\na: 'c", (3, 4, "not valid YAML: unclosed quote")),
        ("~: b", (1, 1, "expected a text, found nothing")),
    ] {
        assert_eq!(refused::<Texts>(text), (told.0, told.1, told.2.to_owned()), "{text}");
    }
}

#[derive(Debug, Deserialize)]
struct Needed {
    #[serde(rename = "needed")]
    _needed: u64,
    #[serde(default, rename = "flag")]
    _flag: bool,
}

#[test]
fn what_a_type_misses_is_told_of_its_mapping() {
    assert_eq!(refused::<Needed>("\n{ other: 1 }"), (2, 1, "`needed` is missing here".into()));
    assert_eq!(refused::<Needed>("{ needed: -1 }"), (1, 11, "expected a whole number, 0 or more".into()));
    assert_eq!(refused::<Needed>("{ needed: 1, flag: on }"), (1, 20, "expected `true` or `false`".into()));
    assert!(documents::<Needed>("{ needed: '0x10', flag: !!bool 'TRUE', other: { .inf: [ !x ] } }").is_ok());
}
