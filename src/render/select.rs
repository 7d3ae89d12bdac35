//! Takes values from one source: paths select inner nodes, nested values become flat or JSON text.

use crate::base::coding::base64;
use crate::base::failure::Failure;
use crate::base::material::{Material, Node, SecretBytes};
use crate::config::{Encoding, From};

use super::field::HeldValue;
use super::merge_error::MergeError;
use crate::format::json::write as json;

/// A node, its name so far, and whether `pick` asked for it.
pub(super) struct TakenNode<'a> {
    pub name: String,
    pub value: HeldValue<'a>,
    pub picked: bool,
}

/// The nodes of one source by name, in order: the picked ones, or all. A value without verification
/// is refused as soon as it is taken, alone or inside another.
pub(super) fn select<'a>(
    from: &From,
    material: &'a Material,
) -> Result<Vec<TakenNode<'a>>, Failure> {
    let Material {
        documents,
        unverified,
        merge_keys: _,
        made: _,
        rotates_in: _,
        version: _,
        lease: _,
    } = material;
    let mut taken = Vec::new();
    if from.pick.is_empty() {
        // Everything is taken, so one check is enough.
        unverified.check(&[])?;
        for (name, node) in top_level(documents)? {
            collect(from, &[name.as_str()], node, false, &mut taken)?;
        }
    }
    for path in &from.pick {
        let Some((steps, node)) = reach(documents, path) else {
            return Err(MergeError::NotThere {
                path: path.clone(),
                there: top_level(documents)
                    .unwrap_or_default()
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect(),
            }
            .into());
        };
        unverified.check(&steps)?;
        match from.flatten {
            Some(_) => collect(from, &steps, node, true, &mut taken)?,
            None => collect(from, &[path], node, true, &mut taken)?,
        }
    }
    if from.encoding == Some(Encoding::Base64) {
        for one in &mut taken {
            decode(one)?;
        }
    }
    Ok(taken)
}

/// Decodes a text from base64. Null is kept, and reported where it is used.
fn decode(one: &mut TakenNode<'_>) -> Result<(), MergeError> {
    let is = match one.value.node() {
        Node::Text(text) => {
            one.value = HeldValue::Made(Node::Text(decoded(&one.name, text)?));
            return Ok(());
        }
        Node::Null => return Ok(()),
        Node::Bool(_) => "a truth value",
        Node::Number(_) => "a number",
        Node::Time(_) => "a date",
        Node::List(_) => "a list",
        Node::Map(_) => "a mapping",
    };
    Err(MergeError::NotBase64 {
        field: one.name.clone(),
        is,
    })
}

/// The bytes that a base64 text encodes.
pub(super) fn decoded(field: &str, text: &SecretBytes) -> Result<SecretBytes, MergeError> {
    let bytes = base64::decode_spaced(text.expose());
    bytes
        .map(SecretBytes::from)
        .ok_or_else(|| MergeError::NotBase64 {
            field: field.to_owned(),
            is: "something else",
        })
}

fn top_level(documents: &[Node]) -> Result<&[(String, Node)], MergeError> {
    match documents {
        [Node::Map(entries)] => Ok(entries),
        [] | [Node::Null] => Ok(&[]),
        [Node::List(_)] => Err(MergeError::NotFields("a list")),
        [Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_)] => {
            Err(MergeError::NotFields("one value"))
        }
        several => Err(MergeError::SeveralDocuments(several.len())),
    }
}

fn collect<'a>(
    from: &From,
    steps: &[&str],
    node: &'a Node,
    picked: bool,
    taken: &mut Vec<TakenNode<'a>>,
) -> Result<(), MergeError> {
    let nested = matches!(node, Node::List(_) | Node::Map(_));
    if let (Some(separator), true) = (&from.flatten, nested) {
        flatten(&steps.join(separator), separator, node, taken);
        return Ok(());
    }
    let name = match &from.flatten {
        Some(separator) => steps.join(separator),
        None => steps.concat(),
    };
    let value = if nested && from.encoding == Some(Encoding::Json) {
        let text = json::compact(node).map_err(|problem| MergeError::NotJson {
            field: name.clone(),
            problem,
        })?;
        HeldValue::Made(Node::Text(text))
    } else {
        HeldValue::Lent(node)
    };
    taken.push(TakenNode {
        name,
        value,
        picked,
    });
    Ok(())
}

/// The sources' own parsers limit the depth (64) and refuse anything deeper.
fn flatten<'a>(name: &str, separator: &str, node: &'a Node, taken: &mut Vec<TakenNode<'a>>) {
    match node {
        Node::Map(entries) => {
            for (key, inner) in entries {
                flatten(&format!("{name}{separator}{key}"), separator, inner, taken);
            }
        }
        Node::List(items) => {
            for (index, inner) in items.iter().enumerate() {
                let name = format!("{name}{separator}{index}");
                flatten(&name, separator, inner, taken);
            }
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => {
            taken.push(TakenNode {
                name: name.to_owned(),
                value: HeldValue::Lent(node),
                picked: false,
            })
        }
    }
}

/// Follows `a.b.0.c`. Keys with dots are found too: at each mapping the longest matching key is
/// tried first. Several documents are numbered from 0 like a list. Gives the steps that were taken.
fn reach<'a, 'p>(documents: &'a [Node], path: &'p str) -> Option<(Vec<&'p str>, &'a Node)> {
    match documents {
        [node] => follow(node, path),
        several => {
            let (index, rest) = path.split_once('.').unwrap_or((path, ""));
            let node = several.get(position(index)?)?;
            if rest.is_empty() {
                return Some((vec![index], node));
            }
            follow(node, rest).map(|(steps, node)| (prepend(index, steps), node))
        }
    }
}

fn follow<'a, 'p>(node: &'a Node, path: &'p str) -> Option<(Vec<&'p str>, &'a Node)> {
    let cuts = std::iter::once(path.len()).chain(path.rmatch_indices('.').map(|(at, _)| at));
    for cut in cuts {
        let step = &path[..cut];
        let Some(inner) = child(node, step) else {
            continue;
        };
        if cut == path.len() {
            return Some((vec![step], inner));
        }
        if let Some((steps, found)) = follow(inner, &path[cut + 1..]) {
            return Some((prepend(step, steps), found));
        }
    }
    None
}

fn child<'a>(node: &'a Node, step: &str) -> Option<&'a Node> {
    match node {
        Node::Map(entries) => entries
            .iter()
            .find(|(key, _)| key == step)
            .map(|(_, inner)| inner),
        Node::List(items) => items.get(position(step)?),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Time(_) | Node::Text(_) => None,
    }
}

/// `0`, `12`; not `+1`, `01` or ` 1`.
fn position(step: &str) -> Option<usize> {
    let plain = step.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = step == "0" || !step.starts_with('0');
    if plain && canonical {
        step.parse().ok()
    } else {
        None
    }
}

fn prepend<'p>(step: &'p str, mut steps: Vec<&'p str>) -> Vec<&'p str> {
    steps.insert(0, step);
    steps
}
