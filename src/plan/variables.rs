//! Which variables of a whole file come, change and go: its texts are read by the file's own
//! format, where they can be.

use super::action::{Change, KeyChange};
use crate::base::artifact::Variables;
use crate::base::material::{Node, SecretBytes};
use crate::format::document::{self, DocumentFormat};

type Read = Vec<(String, Node)>;

/// Each variable of a new file; nothing where its text is no list of variables.
pub(super) fn added(format: Variables, new: &SecretBytes) -> Option<Vec<KeyChange>> {
    let read = read(format, new)?.into_iter();
    let keys: Vec<KeyChange> = read
        .map(|(key, value)| KeyChange {
            size: size(&value),
            change: Change::Added,
            key,
        })
        .collect();
    Some(keys).filter(|keys| !keys.is_empty())
}

/// What becomes of each variable; nothing where one of the texts is no list of variables.
pub(super) fn compared(
    format: Variables,
    new: &SecretBytes,
    old: Option<&SecretBytes>,
) -> Option<Vec<KeyChange>> {
    let (old, new_read) = (read(format, old?)?, read(format, new)?);
    let gone = old
        .iter()
        .filter(|(name, _)| find(&new_read, name).is_none())
        .map(|(name, _)| KeyChange {
            key: name.clone(),
            size: None,
            change: Change::Removed,
        });
    let mut keys: Vec<KeyChange> = new_read
        .iter()
        .map(|(name, value)| KeyChange {
            key: name.clone(),
            size: size(value),
            change: match find(&old, name) {
                None => Change::Added,
                Some(there) if there == value => Change::Same,
                Some(_) => Change::Changed,
            },
        })
        .chain(gone)
        .collect();
    if keys.iter().all(|key| key.change == Change::Same) {
        // Only comments, blanks or quotes differ: those go too.
        keys.push(KeyChange {
            key: "content".to_owned(),
            size: Some(new.len()),
            change: Change::Changed,
        });
    }
    Some(keys)
}

fn find<'r>(read: &'r Read, name: &str) -> Option<&'r Node> {
    let found = read.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}

fn size(value: &Node) -> Option<usize> {
    match value {
        Node::Text(bytes) | Node::Number(bytes) | Node::Time(bytes) => Some(bytes.len()),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => None,
    }
}

fn read(format: Variables, text: &SecretBytes) -> Option<Read> {
    let format = match format {
        Variables::Opaque => return None,
        Variables::Properties => return properties(text.expose_str()?),
        Variables::Dotenv => DocumentFormat::Dotenv,
        Variables::Json => DocumentFormat::Json,
        Variables::Yaml => DocumentFormat::Yaml,
    };
    let mut documents = document::parse(SecretBytes::from(text.expose()), format).ok()?;
    match (documents.pop(), documents.is_empty()) {
        (Some(Node::Map(members)), true) => Some(members),
        (_, _) => None,
    }
}

/// `name=value` lines as we write them. Values stay as they are spelt, and a name or line with a
/// `\` at its end or in it that would need more than that makes the text unreadable here.
fn properties(text: &str) -> Option<Read> {
    let mut read: Read = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (name, value) = line.split_once('=')?;
        let name = name.trim_end();
        let unreadable = name.contains(['\\', ':', ' ', '\t']) || line.ends_with('\\');
        if unreadable || find(&read, name).is_some() {
            return None;
        }
        read.push((name.to_owned(), Node::text(value.trim_start())));
    }
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_named_where_both_texts_can_be_read() {
        use Variables::{Dotenv, Json, Opaque, Properties, Yaml};
        for (format, old, new, lines) in [
            (
                Dotenv,
                "A=1\nB=2\nD=4\n",
                "A=1\nB=3\nC=4\n",
                Some("=A ~B +C -D"),
            ),
            (Dotenv, "# mine\nA='1'\n", "A=1\n", Some("=A ~content")),
            (Dotenv, "A='open\n", "A=1\n", None),
            (
                Json,
                r#"{"a": 1, "b": "x"}"#,
                r#"{"a":1,"c":"x"}"#,
                Some("=a +c -b"),
            ),
            (Json, "[1]", r#"{"a":1}"#, None),
            (Json, "{broken", r#"{"a":1}"#, None),
            (Yaml, "a: x\nb: y\n", "a: z\nb: y\n", Some("~a =b")),
            (Yaml, "a: x\n---\nb: y\n", "a: x\n", None),
            (Properties, "# c\na = 1\nb=2\n", "a=1\nb=3\n", Some("=a ~b")),
            (Properties, "a=1\\\n2\n", "a=1\n", None),
            (Opaque, "A=1\n", "A=2\n", None),
        ] {
            let keys = compared(format, &new.into(), Some(&old.into()));
            let shown = keys.map(|keys| {
                let words = keys.iter().map(|key| {
                    let sign = match key.change {
                        Change::Added => '+',
                        Change::Changed => '~',
                        Change::Removed => '-',
                        Change::Same => '=',
                    };
                    format!("{sign}{}", key.key)
                });
                words.collect::<Vec<_>>().join(" ")
            });
            assert_eq!(shown.as_deref(), lines, "{format:?} {old:?}");
        }
    }
}
