//! Checks of templates without any value: whether they parse, and whether the fields that they read
//! can exist.

use std::collections::BTreeMap;

use crate::base::failure::Fault;
use crate::base::printable;
use crate::config::problem::Problem;
use crate::config::{
    ComputedField, Config, Delivery, FieldName, FileFormat, From, Location, Target,
};

use super::field::FieldError;
use crate::template::jinja::{Template, TemplateError};

/// All problems of the templates in a configuration; `texts` are the contents of template files.
/// Names are checked only if all fields of a delivery are known in advance: each source has a
/// `pick` and no `flatten`, and no part of the delivery is broken.
pub fn check_templates(
    config: &Config,
    texts: &BTreeMap<String, String>,
    is_broken: &dyn Fn(&Location) -> bool,
) -> Vec<Problem> {
    let check = |delivery: &Delivery| {
        let mut sources = delivery.from.iter();
        let broken = is_broken(&delivery.at) || sources.any(|from| is_broken(&from.at));
        let known = known_fields(&delivery.from).filter(|_| !broken);
        check_delivery(delivery, texts, known)
    };
    config.deliveries.iter().flat_map(check).collect()
}

fn check_delivery(
    delivery: &Delivery,
    texts: &BTreeMap<String, String>,
    mut known: Option<Vec<String>>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for ComputedField {
        name,
        template,
        base64: _,
        at,
    } in &delivery.fields
    {
        for error in errors(template, known.as_deref()) {
            let label = format!("template of field {}", printable::quoted(name));
            let place = texts
                .get(&at.file)
                .and_then(|text| inside(text, at, &error));
            problems.push(match place {
                Some(place) => problem(&error, place, &label),
                None => {
                    let label = format!("{label}, {}", error.position());
                    problem(&error, at.clone(), &label)
                }
            });
        }
        if let Some(known) = &mut known {
            known.push(name.clone());
        }
    }
    problems.extend(
        known
            .as_deref()
            .into_iter()
            .flat_map(|known| unfound(delivery, known)),
    );
    for target in &delivery.to {
        let Target::File(file) = target else {
            continue;
        };
        if let FileFormat::Template { text, name } = &file.format {
            for error in errors(text, known.as_deref()) {
                let (line, column) = error.place();
                let place = Location {
                    file: name.clone(),
                    line,
                    column,
                };
                let label = format!("delivery {}", printable::quoted(&delivery.name));
                problems.push(problem(&error, place, &label));
            }
        }
    }
    problems
}

/// A mistake in a template as a problem of the configuration; `label` names the template.
fn problem(error: &TemplateError, at: Location, label: &str) -> Problem {
    Problem {
        at,
        what: format!("{label}: {}", error.problem),
        hint: error.hint(),
        class: error.class(),
    }
}

/// Names in `require` and `deliver` that no source gives.
fn unfound(delivery: &Delivery, known: &[String]) -> Vec<Problem> {
    let lists = [
        ("require", &delivery.require),
        ("deliver", &delivery.deliver),
    ];
    let mut problems = Vec::new();
    for (list, names) in lists {
        for FieldName { name, at } in names.iter().filter(|field| !known.contains(&field.name)) {
            let error = FieldError::Absent {
                field: name.clone(),
                there: printable::names(known.iter().map(String::as_str)),
            };
            problems.push(Problem {
                at: at.clone(),
                what: format!("`{list}`: {error}"),
                hint: error.hint(),
                class: error.class(),
            });
        }
    }
    problems
}

/// The place in the file for a place in the template, if the template is written in the file
/// unchanged.
fn inside(text: &str, at: &Location, error: &TemplateError) -> Option<Location> {
    let (line, column) = error.place();
    let mut lines = text
        .lines()
        .skip(usize::try_from(at.line).ok()?.checked_sub(1)?);
    let first = lines.next()?;
    let written: String = first
        .chars()
        .skip(usize::try_from(at.column).ok()?.checked_sub(1)?)
        .collect();
    // The text was filled in from the environment or has escapes, so its places differ from those
    // in the file.
    if written.contains("${") || written.contains('\\') {
        return None;
    }
    let (line, column) = match written.chars().next()? {
        '|' => {
            let block = lines.clone().find(|line| !line.trim().is_empty())?;
            let indent = block.len() - block.trim_start().len();
            (at.line + line, u32::try_from(indent).ok()? + column)
        }
        '>' => return None,
        _ if line > 1 => return None,
        '"' | '\'' => (at.line, at.column + column),
        _ => (at.line, at.column + column - 1),
    };
    Some(Location {
        line,
        column,
        ..at.clone()
    })
}

/// The names that all sources will give, or nothing if they depend on the content of the sources.
fn known_fields(sources: &[From]) -> Option<Vec<String>> {
    let mut known = Vec::new();
    for from in sources {
        if from.pick.is_empty() || from.flatten.is_some() {
            return None;
        }
        for path in &from.pick {
            let renamed = from.rename.iter().find(|(old, _)| old == path);
            let name = renamed.map_or(path.as_str(), |(_, new)| new);
            known.push(format!("{}{name}", from.prefix));
        }
    }
    Some(known)
}

fn errors(text: &str, known: Option<&[String]>) -> Vec<TemplateError> {
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => return vec![error],
    };
    let Some(known) = known else {
        return Vec::new();
    };
    let names = printable::names(known.iter().map(String::as_str));
    template
        .uses
        .iter()
        .filter(|used| !used.optional && !known.contains(&used.name))
        .map(|used| used.unknown(&names))
        .collect()
}

#[cfg(test)]
mod tests;
