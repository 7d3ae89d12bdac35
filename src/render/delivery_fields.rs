//! Makes the fields of one delivery from its sources: picked, renamed, prefixed, merged in order,
//! completed by computed fields.
//!
//! Invariant: a name has one value. If a second source gives the same name, this is an error unless
//! that source has `override`.

use std::collections::HashMap;
use std::rc::Rc;

use crate::base::failure::Failure;
use crate::base::material::{Material, Node};
use crate::base::printable;
use crate::config::{Delivery, FieldName, From, Source};
use crate::render::fetched::Fetched;

use super::field::{Field, FieldError, FieldOrigin, Fields, HeldValue};
use super::merge_error::MergeError;
use super::place::within;
use super::select::{TakenNode, decoded, select};
use crate::template::jinja::Template;

/// The data of the only source, if the configuration changes nothing in its documents.
pub(super) fn whole_documents<'a>(
    delivery: &Delivery,
    fetched: &'a Fetched,
) -> Result<Option<&'a Material>, Failure> {
    let [from] = delivery.from.as_slice() else {
        return Ok(None);
    };
    if !delivery.fields.is_empty() || !delivery.deliver.is_empty() || !is_untouched(from) {
        return Ok(None);
    }
    let Some(material) = material(from, fetched)? else {
        return Ok(None);
    };
    let checked = material.unverified.check(&[]);
    checked.map_err(|error| within(origin(from), error))?;
    Ok(Some(material).filter(|material| !is_void(&material.documents)))
}

/// Destructured, so that a new option cannot be forgotten here.
fn is_untouched(from: &From) -> bool {
    let From {
        source: _,
        prefix,
        pick,
        rename,
        overrides: _,
        optional: _,
        encoding,
        flatten,
        at: _,
    } = from;
    prefix.is_empty()
        && pick.is_empty()
        && rename.is_empty()
        && encoding.is_none()
        && flatten.is_none()
}

/// Whether it is empty: then it is treated as fields, which refuse an empty answer.
fn is_void(documents: &[Node]) -> bool {
    documents.iter().all(|document| match document {
        Node::Null => true,
        Node::List(items) => items.is_empty(),
        Node::Map(entries) => entries.is_empty(),
        Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => false,
    })
}

/// The data of a source, or nothing if the source is absent and optional.
fn material<'a>(from: &From, fetched: &'a Fetched) -> Result<Option<&'a Material>, Failure> {
    match fetched.get_in_part(&from.source) {
        Ok(material) => Ok(Some(material)),
        Err(failure) if failure.absent && from.optional => Ok(None),
        Err(failure) => Err(of_source(from, failure)),
    }
}

/// A failed read, with the place in the configuration; and with the source, unless the text names
/// it.
fn of_source(from: &From, failure: Failure) -> Failure {
    match failure.names_source {
        true => within(&from.at, failure),
        false => within(origin(from), failure),
    }
}

/// All fields of a delivery.
pub(super) fn fields<'a>(
    delivery: &'a Delivery,
    fetched: &'a Fetched,
) -> Result<Fields<'a>, Failure> {
    let mut fields = Fields {
        list: Vec::new(),
        allow_empty: delivery.allow_empty,
    };
    let mut known = HashMap::new();
    let mut failures = Vec::new();
    for from in &delivery.from {
        let taken = material(from, fetched).and_then(|material| match material {
            Some(material) => named(from, material),
            None => Ok(Vec::new()),
        });
        match taken {
            Err(failure) => failures.push(failure),
            Ok(taken) => {
                for field in taken {
                    insert(&mut fields, &mut known, field, from.overrides)?;
                }
            }
        }
    }
    // All failures are reported at once, so a person can correct them together.
    if let Some(failure) = Failure::joined(failures) {
        return Err(failure);
    }
    for computed in &delivery.fields {
        let origin = Rc::new(FieldOrigin {
            label: "`fields`".to_owned(),
            at: computed.at.clone(),
        });
        let value = Template::parse(&computed.template)
            .and_then(|template| template.render(&fields))
            .map_err(|error| error.in_text("its template"))
            .and_then(|value| match computed.base64 {
                true => decoded(&computed.name, &value).map_err(Failure::from),
                false => Ok(value),
            })
            .map_err(|failure| {
                within(
                    format!("field {} of {origin}", printable::quoted(&computed.name)),
                    failure,
                )
            })?;
        let field = Field {
            name: computed.name.clone(),
            value: HeldValue::Made(Node::Text(value)),
            picked: false,
            merge_keys: false,
            origin,
        };
        insert(&mut fields, &mut known, field, false)?;
    }
    require(delivery, &fields)?;
    only_delivered(delivery, &mut fields)?;
    Ok(fields)
}

/// Keeps only the fields in `deliver`, in its order.
fn only_delivered(delivery: &Delivery, fields: &mut Fields<'_>) -> Result<(), Failure> {
    if delivery.deliver.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::with_capacity(delivery.deliver.len());
    for FieldName { name, at } in &delivery.deliver {
        match fields.list.iter().position(|field| field.name == *name) {
            Some(place) => kept.push(fields.list.remove(place)),
            None => {
                let error = fields.bytes(name).err().unwrap_or(FieldError::None);
                return Err(within(format_args!("{at}: `deliver`"), error));
            }
        }
    }
    fields.list = kept;
    Ok(())
}

fn named<'a>(from: &From, material: &'a Material) -> Result<Vec<Field<'a>>, Failure> {
    let mut taken = select(from, material).map_err(|failure| within(origin(from), failure))?;
    for (old, _) in &from.rename {
        if !taken.iter().any(|one| one.name == *old) {
            let error = MergeError::NotThere {
                path: old.clone(),
                there: taken.into_iter().map(|one| one.name).collect(),
            };
            return Err(within(origin(from), error));
        }
    }
    for one in &mut taken {
        let renamed = from.rename.iter().find(|(old, _)| *old == one.name);
        let name = renamed.map_or(one.name.as_str(), |(_, new)| new);
        one.name = format!("{}{name}", from.prefix);
    }
    let origin = Rc::new(origin(from));
    let field = |one: TakenNode<'a>| Field {
        name: one.name,
        value: one.value,
        picked: one.picked,
        merge_keys: material.merge_keys,
        origin: Rc::clone(&origin),
    };
    Ok(taken.into_iter().map(field).collect())
}

/// A source may replace fields of another source, never its own.
fn insert<'a>(
    fields: &mut Fields<'a>,
    known: &mut HashMap<String, usize>,
    field: Field<'a>,
    overrides: bool,
) -> Result<(), MergeError> {
    let earlier = known.get(&field.name).copied();
    if earlier.is_none() {
        known.insert(field.name.clone(), fields.list.len());
    }
    match earlier {
        None => fields.list.push(field),
        Some(place) if overrides && !Rc::ptr_eq(&fields.list[place].origin, &field.origin) => {
            fields.list[place] = field;
        }
        Some(place) => {
            return Err(MergeError::Twice {
                field: field.name,
                first: fields.list[place].origin.clone(),
                second: field.origin,
            });
        }
    }
    Ok(())
}

fn require(delivery: &Delivery, fields: &Fields<'_>) -> Result<(), Failure> {
    for FieldName { name, at } in &delivery.require {
        let place = format!("{at}: `require`");
        let Some(field) = fields.named(name) else {
            let error = fields.bytes(name).err();
            return Err(within(place, error.unwrap_or(FieldError::None)));
        };
        if !matches!(field.value.node(), Node::List(_) | Node::Map(_)) && field.scalar()?.is_empty()
        {
            return Err(within(place, FieldError::Empty(field.whence())));
        }
    }
    Ok(())
}

pub(super) fn origin(from: &From) -> FieldOrigin {
    FieldOrigin {
        label: source_label(&from.source),
        at: from.at.clone(),
    }
}

/// A source for messages: its kind, and its name on one line, whatever characters it contains.
fn source_label(source: &Source) -> String {
    let (kind, name) = source.name();
    format!("{kind} {}", printable::quoted(&name))
}

#[cfg(test)]
mod tests;
