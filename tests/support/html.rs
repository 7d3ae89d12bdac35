//! A strict reader of the small HTML that the status page is written in: every element is known,
//! closed and in place, every attribute is known and quoted, and nothing comes from elsewhere.

/// Elements, and whether each has an end.
const ELEMENTS: &[(&str, bool)] = &[
    ("html", true),
    ("head", true),
    ("meta", false),
    ("title", true),
    ("style", true),
    ("body", true),
    ("header", true),
    ("main", true),
    ("footer", true),
    ("article", true),
    ("h1", true),
    ("h2", true),
    ("p", true),
    ("span", true),
    ("code", true),
    ("div", true),
    ("ul", true),
    ("li", true),
    ("dl", true),
    ("dt", true),
    ("dd", true),
    ("table", true),
    ("tr", true),
    ("th", true),
    ("td", true),
    ("svg", true),
    ("path", false),
];

const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "name",
    "content",
    "http-equiv",
    "class",
    "viewBox",
    "aria-hidden",
    "d",
];

/// One element.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) tag: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// Its own text and that of all inside it, white space joined.
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(known, _)| known == name)?;
        Some(&found.1)
    }
}

/// Every element of a page, in the order in which they end.
pub(crate) fn elements(page: &str) -> Vec<Element> {
    let mut rest = page
        .strip_prefix("<!DOCTYPE html>\n")
        .expect("the type of the document");
    let (mut open, mut ended): (Vec<Element>, Vec<Element>) = (Vec::new(), Vec::new());
    while let Some(at) = rest.find('<') {
        say(&mut open, &rest[..at]);
        let (tag, behind) = rest[at + 1..].split_once('>').expect("a tag ends");
        rest = behind;
        let element = match tag.strip_prefix('/') {
            Some(name) => {
                let element = open.pop().unwrap_or_else(|| panic!("</{name}> of nothing"));
                assert_eq!(element.tag, name, "the end of {element:?}");
                element
            }
            None => {
                let (element, ends) = begun(tag);
                if ends {
                    open.push(element);
                    continue;
                }
                element
            }
        };
        if let Some(outer) = open.last_mut() {
            outer.text += " ";
            outer.text += &element.text;
        }
        ended.push(element);
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    for element in &mut ended {
        let words: Vec<&str> = element.text.split_whitespace().collect();
        element.text = words.join(" ");
    }
    ended
}

fn say(open: &mut [Element], text: &str) {
    let Some(element) = open.last_mut() else {
        assert!(text.trim().is_empty(), "text outside of all: {text}");
        return;
    };
    if element.tag == "style" {
        assert!(
            !text.contains("url(") && !text.contains("@import"),
            "{text}"
        );
    }
    element.text += &match element.tag.as_str() {
        "style" => text.to_owned(),
        _ => plain(text),
    };
}

/// An element that begins, and whether it has an end.
fn begun(tag: &str) -> (Element, bool) {
    let tag = tag.strip_suffix('/').unwrap_or(tag);
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let known = ELEMENTS.iter().find(|(known, _)| *known == name);
    let (_, ends) = known.unwrap_or_else(|| panic!("an element <{name}>"));
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let (attribute, behind) = rest.split_once("=\"").expect("an attribute in quotes");
        let (value, behind) = behind.split_once('"').expect("quotes that end");
        assert!(ATTRIBUTES.contains(&attribute), "{attribute} of <{name}>");
        let elsewhere = value.contains("://") || value.contains("url=");
        assert!(
            !elsewhere,
            "{attribute} of <{name}> leads elsewhere: {value}"
        );
        attributes.push((attribute.to_owned(), plain(value)));
        rest = behind.trim_start();
    }
    let element = Element {
        tag: name.to_owned(),
        attributes,
        text: String::new(),
    };
    (element, *ends)
}

/// What is meant by a text that is escaped; nothing in it stands bare.
fn plain(text: &str) -> String {
    assert!(!text.contains(['>', '"', '\'']), "bare: {text}");
    let mut parts = text.split('&');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').expect("a bare &");
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            _ => panic!("&{name};"),
        });
        out += rest;
    }
    out
}
