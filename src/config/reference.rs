//! Explains which keys and values are allowed, from the same types as the JSON Schema: for a
//! terminal, and for the page in `docs`.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::derived_schema::schema;
use super::problem::nearest;
use crate::base::line_fold::fold;

/// Why a path leads nowhere, and what could be meant.
#[derive(Debug, PartialEq, Eq)]
pub struct NoKey {
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

/// Explains what may stand at a path such as `deliveries.to.file`; an empty path is the whole.
pub fn explain(path: &str) -> Result<String, NoKey> {
    let schema = schema();
    let definitions = &schema["$defs"];
    let mut at = &schema;
    let mut walked: Vec<&str> = Vec::new();
    for key in path.split(['.', '[', ']']).filter(|key| !key.is_empty()) {
        // The index in a list does not matter.
        if key.parse::<usize>().is_ok() {
            continue;
        }
        at = step(at, key, definitions).map_err(|known| no_key(&walked, key, &known))?;
        walked.push(key);
    }
    Ok(page(&walked.join("."), at, definitions))
}

/// The schema of a key; the error lists the keys that exist.
fn step<'a>(at: &'a Value, key: &str, definitions: &'a Value) -> Result<&'a Value, Vec<String>> {
    let inner = resolved(at, definitions);
    if let Some(found) = inner["properties"].get(key) {
        return Ok(found);
    }
    // The names in this mapping are free: a path goes on below any name.
    if let Some(of_each) = inner
        .get("additionalProperties")
        .filter(|one| one.is_object())
    {
        let below = resolved(of_each, definitions);
        return Ok(below["properties"].get(key).unwrap_or(of_each));
    }
    let known = inner["properties"].as_object();
    Err(known
        .map(|keys| keys.keys().cloned().collect())
        .unwrap_or_default())
}

fn no_key(walked: &[&str], key: &str, known: &[String]) -> NoKey {
    let place = match walked {
        [] => "at the top".to_owned(),
        walked => format!("in `{}`", walked.join(".")),
    };
    let meant = nearest(key, known.iter().map(String::as_str));
    NoKey {
        what: format!("there is no key `{}` {place}", key.escape_debug()),
        hint: match (meant, known) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, []) => "nothing can be written below it".to_owned(),
            (None, known) => format!("known here: {}", known.join(", ")),
        },
    }
}

/// The schema behind references, lists and optional values. Of several, it is the one with keys.
fn resolved<'a>(schema: &'a Value, definitions: &'a Value) -> &'a Value {
    let schema = defined(schema, definitions);
    if schema["properties"].is_object() {
        return schema;
    }
    let choices = alternatives(schema).map(|one| resolved(one, definitions));
    let choices: Vec<&Value> = choices.collect();
    let with_keys = choices.iter().find(|one| one["properties"].is_object());
    if let Some(choice) = with_keys.or(choices.first()) {
        return choice;
    }
    match schema.get("items") {
        Some(items) => resolved(items, definitions),
        None => schema,
    }
}

/// The schema behind references and optional values.
fn defined<'a>(schema: &'a Value, definitions: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return defined(&definitions[name], definitions);
    }
    let mut choices = alternatives(schema);
    match (choices.next(), choices.next()) {
        (Some(only), None) => defined(only, definitions),
        _ => schema,
    }
}

/// What a value may be, except that it may be absent.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let choices = schema["anyOf"].as_array().map(Vec::as_slice);
    let choices = choices.unwrap_or_default().iter();
    choices.filter(|one| one["type"] != "null")
}

/// The types of all alternatives; `None` where there is only one.
fn kinds(schema: &Value, named: &dyn Fn(&str) -> String) -> Option<String> {
    let kinds: Vec<String> = alternatives(schema).map(|one| kind(one, named)).collect();
    (kinds.len() > 1).then(|| kinds.join(", or "))
}

/// One page for a terminal.
fn page(path: &str, at: &Value, definitions: &Value) -> String {
    let mut out = String::new();
    let title = match path {
        "" => "a configuration",
        path => path,
    };
    let _ = writeln!(out, "{title}: {}\n", kind(at, &plain_name));
    let inner = resolved(at, definitions);
    let definition = defined(at, definitions);
    let choices = kinds(definition, &plain_name);
    let of_kind = match choices {
        Some(_) => said(definition),
        None => said(inner),
    };
    let mut texts = vec![said(at), of_kind];
    texts.dedup();
    for text in texts.into_iter().chain(choices) {
        if !text.is_empty() {
            folded(&mut out, 0, &text);
        }
    }
    let rows: Vec<(String, String, String)> = match (inner["properties"].as_object(), words(inner))
    {
        (Some(keys), _) => keys
            .iter()
            .map(|(key, value)| row(inner, key, value))
            .collect(),
        (None, words) => words,
    };
    if rows.is_empty() {
        return out;
    }
    out.push('\n');
    let widest = |of: fn(&(String, String, String)) -> &String| {
        rows.iter()
            .map(|row| of(row).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (first, second) = (widest(|row| &row.0), widest(|row| &row.1));
    for (key, value, meaning) in &rows {
        let _ = write!(out, "  {key:<first$}  {value:<second$}  ");
        folded(&mut out, first + second + 6, meaning);
    }
    out
}

fn row(of: &Value, key: &str, value: &Value) -> (String, String, String) {
    let required = match is_required(of, key) {
        true => " (required)",
        false => "",
    };
    (
        format!("{key}{required}"),
        kind(value, &plain_name),
        said(value),
    )
}

fn words(schema: &Value) -> Vec<(String, String, String)> {
    let choices = schema["oneOf"].as_array().map(Vec::as_slice);
    let choices = choices.unwrap_or_default().iter();
    choices
        .filter_map(|one| Some((one["const"].as_str()?.to_owned(), String::new(), said(one))))
        .collect()
}

/// Ends a line that has begun with a text, folded.
fn folded(out: &mut String, indent: usize, text: &str) {
    fold(out, indent, text.split_whitespace());
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('\n');
}

/// The part of `docs/configuration.md` with all keys.
pub fn markdown() -> String {
    let schema = schema();
    let mut out = "## The whole\n\n".to_owned();
    if let Some(keys) = schema["properties"].as_object() {
        table(&mut out, &schema, keys);
    }
    for (name, definition) in schema["$defs"].as_object().into_iter().flatten() {
        let name = plain_name(name);
        let _ = write!(out, "\n## {name}\n\n{}\n\n", cell(definition));
        if let Some(keys) = definition["properties"].as_object() {
            table(&mut out, definition, keys);
            continue;
        }
        let words = words(definition);
        if words.is_empty() {
            let kinds = kinds(definition, &link).unwrap_or_else(|| kind(definition, &link));
            let _ = writeln!(out, "{kinds}");
            continue;
        }
        out.push_str("| value | meaning |\n|---|---|\n");
        for (word, _, meaning) in words {
            let _ = writeln!(out, "| `{word}` | {} |", meaning.replace('|', "\\|"));
        }
    }
    out
}

fn table(out: &mut String, of: &Value, keys: &Map<String, Value>) {
    out.push_str("| key | value | meaning |\n|---|---|---|\n");
    for (key, value) in keys {
        let required = match is_required(of, key) {
            true => " (required)",
            false => "",
        };
        let (kind, meaning) = (kind(value, &link), cell(value));
        let _ = writeln!(out, "| `{key}`{required} | {kind} | {meaning} |");
    }
}

fn is_required(of: &Value, key: &str) -> bool {
    let required = of["required"].as_array().map(Vec::as_slice);
    required.unwrap_or_default().iter().any(|one| one == key)
}

fn said(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.replace('\n', " ")
}

fn cell(schema: &Value) -> String {
    said(schema).replace('|', "\\|")
}

fn plain_name(name: &str) -> String {
    name.strip_prefix("Raw").unwrap_or(name).to_owned()
}

fn link(name: &str) -> String {
    let name = plain_name(name);
    format!("[{name}](#{})", name.to_ascii_lowercase())
}

/// The type of a value, in a word or two.
fn kind(schema: &Value, named: &dyn Fn(&str) -> String) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return named(name.rsplit('/').next().unwrap_or_default());
    }
    if let Some(first) = alternatives(schema).next() {
        return kinds(schema, named).unwrap_or_else(|| kind(first, named));
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", kind(items, named));
    }
    if let Some(each) = schema
        .get("additionalProperties")
        .filter(|one| one.is_object())
    {
        return format!("map of {}", kind(each, named));
    }
    let of = &schema["type"];
    let of = match of.as_array() {
        Some(all) => all.iter().find(|one| *one != "null"),
        None => Some(of),
    };
    match of.and_then(Value::as_str) {
        Some("string") => "text",
        Some("boolean") => "true, false",
        Some("integer") => "number",
        Some("object") => "map",
        Some(other) => other,
        None => "any",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::line_fold::COLUMNS;

    #[test]
    fn a_path_leads_to_what_may_be_written_there() {
        for (path, title, words) in [
            ("", "a configuration: map", "deliveries  "),
            ("deliveries.to.file", "deliveries.to.file: File", "path  "),
            (
                "deliveries[0].to",
                "deliveries.to: list of Target",
                "secret  ",
            ),
            ("vaults.main.auth", "vaults.main.auth: Auth", "appRole  "),
            ("vaults.auth", "vaults.auth: Auth", "appRole  "),
            ("deliveries.name", "deliveries.name: text", "Unique name."),
            (
                "deliveries.to.file.format",
                "deliveries.to.file.format: FileFormat",
                "dotenv  ",
            ),
            (
                "deliveries.fields.KEY",
                "deliveries.fields.KEY: Field",
                "\ntext, or EncodedField\n",
            ),
            (
                "deliveries.fields.KEY",
                "deliveries.fields.KEY: Field",
                "template (required)  text",
            ),
            (
                "deliveries.fields.KEY.encoding",
                "deliveries.fields.KEY.encoding: FieldEncoding",
                "base64  ",
            ),
            (
                "deliveries.from.version",
                "deliveries.from.version: Version",
                "\nnumber, or text\n",
            ),
        ] {
            let page = explain(path).unwrap_or_else(|why| panic!("{path}: {why:?}"));
            assert!(page.starts_with(title) && page.contains(words), "{page}");
            for line in page.lines() {
                assert!(line.chars().count() <= COLUMNS, "{line}");
            }
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_says_what_there_is() {
        for (path, what, hint) in [
            (
                "deliverys",
                "no key `deliverys` at the top",
                "did you mean `deliveries`?",
            ),
            (
                "deliveries.to.fil",
                "no key `fil` in `deliveries.to`",
                "did you mean `file`?",
            ),
            (
                "keys.zzz",
                "no key `zzz` in `keys`",
                "known here: age, sealed, recipients",
            ),
            (
                "name.x",
                "no key `x` in `name`",
                "nothing can be written below it",
            ),
        ] {
            let why = explain(path).expect_err(path);
            assert!(why.what.contains(what) && why.hint == hint, "{why:?}");
        }
    }
}
