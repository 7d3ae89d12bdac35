//! What can be said of templates without any value: whether they parse, and whether what they read can exist.

use crate::config::{ComputedField, Config, Delivery, FileFormat, From, Target};
use crate::report::Failure;

use super::names::{listed, shown};
use super::template::{Template, TemplateError};
use super::within;

/// Everything that is wrong with the templates of a configuration. Names are looked up only where all fields of a
/// delivery are known beforehand: each source has a `pick` and no `flatten`.
pub fn check_templates(config: &Config) -> Vec<Failure> {
    config.deliveries.iter().flat_map(check_delivery).collect()
}

fn check_delivery(delivery: &Delivery) -> Vec<Failure> {
    let mut known = known_fields(&delivery.from);
    let mut failures = Vec::new();
    for ComputedField { name, template, at } in &delivery.fields {
        for error in errors(template, known.as_deref()) {
            let place = format!(
                "delivery {}, field {} ({at})",
                shown(&delivery.name),
                shown(name)
            );
            failures.push(within(place, error.in_text("its template")));
        }
        if let Some(known) = &mut known {
            known.push(name.clone());
        }
    }
    for target in &delivery.to {
        let Target::File(file) = target else {
            continue;
        };
        if let FileFormat::Template { text, name } = &file.format {
            for error in errors(text, known.as_deref()) {
                let place = format!("delivery {} ({})", shown(&delivery.name), file.at);
                failures.push(within(place, error.in_file(name)));
            }
        }
    }
    failures
}

/// The names all sources will have given, or nothing when that depends on what is in them.
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
    let names = listed(known.iter().map(String::as_str));
    template
        .uses
        .iter()
        .filter(|used| !used.optional && !known.contains(&used.name))
        .map(|used| TemplateError::unknown_field(used, &names))
        .collect()
}

#[cfg(test)]
mod tests;
