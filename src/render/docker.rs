//! A pull secret: `.dockerconfigjson`, made from logins or taken from a field.
//!
//! It is built from typed parts and escaped as JSON, never as a text template.

use thiserror::Error;

use crate::base::artifact::secret::PULL_KEY;
use crate::base::coding::base64;
use crate::base::failure::{Class, Fault};
use crate::base::material::{Node, SecretBytes};
use crate::base::printable;
use crate::base::wiped::WipedBytes;
use crate::config::Registry;

use super::field::{Field, FieldError, Fields};
use crate::format::json::write::{self as json, JsonError, quote};

/// Docker Hub, as every client writes it.
const HUB: &str = "https://index.docker.io/v1/";

/// Fields of a login at a registry that no field names. With any other field beside them, it is
/// not known which registry is meant.
const LOGIN: [&str; 3] = ["username", "password", "email"];

/// Fields that contain a whole document.
const READY_MADE: [&str; 3] = [PULL_KEY, "dockerconfigjson", "config.json"];

pub(super) fn build(
    fields: &Fields<'_>,
    registries: &[Registry],
) -> Result<SecretBytes, DockerError> {
    if !registries.is_empty() {
        return from_logins(fields, registries);
    }
    let document = READY_MADE.into_iter().find_map(|name| fields.named(name));
    if let Some(field) = document {
        return ready_made(fields, field);
    }
    if let Some(field) = fields.named("auths") {
        let mut out = WipedBytes::default();
        out.text("{\"auths\":");
        out.write(json::compact(field.value.node())?.expose());
        out.text("}");
        return Ok(SecretBytes::from(out));
    }
    let has_login = ["username", "password"]
        .into_iter()
        .any(|name| fields.named(name).is_some());
    match fields.list.as_slice() {
        [only] if !has_login => ready_made(fields, only),
        _ => {
            let document = from_logins(
                fields,
                &[Registry {
                    server: None,
                    username: "username".to_owned(),
                    password: "password".to_owned(),
                }],
            )?;
            check_registry(fields)?;
            Ok(document)
        }
    }
}

/// Refuses fields that may say which registry is meant: without `server`, the login goes to Docker
/// Hub.
fn check_registry(fields: &Fields<'_>) -> Result<(), DockerError> {
    if fields.named("server").is_some() {
        return Ok(());
    }
    let names = fields.list.iter().map(|field| field.name.as_str());
    let other: Vec<&str> = names.filter(|name| !LOGIN.contains(name)).collect();
    match other.is_empty() {
        true => Ok(()),
        false => Err(DockerError::NoServer(printable::names(other))),
    }
}

/// A field with JSON text, or with nested values.
fn ready_made(fields: &Fields<'_>, field: &Field<'_>) -> Result<SecretBytes, DockerError> {
    Ok(match field.value.node() {
        Node::Map(_) => json::compact(field.value.node())?,
        Node::Null
        | Node::Bool(_)
        | Node::Number(_)
        | Node::Time(_)
        | Node::Text(_)
        | Node::List(_) => SecretBytes::from(fields.leaf(field)?),
    })
}

fn from_logins(fields: &Fields<'_>, registries: &[Registry]) -> Result<SecretBytes, DockerError> {
    let mut out = WipedBytes::default();
    let mut servers: Vec<&str> = Vec::new();
    out.text("{\"auths\":{");
    for registry in registries {
        let server = server(fields, registry)?;
        if servers.contains(&server) {
            return Err(DockerError::Twice(server.to_owned()));
        }
        out.text(if servers.is_empty() { "" } else { "," });
        servers.push(server);
        quote(server, &mut out);
        out.text(":");
        login(fields, registry, &mut out)?;
    }
    out.text("}}");
    Ok(SecretBytes::from(out))
}

/// The server of the configuration, else the field `server`, else Docker Hub.
fn server<'f>(fields: &'f Fields<'_>, registry: &'f Registry) -> Result<&'f str, DockerError> {
    let server = match &registry.server {
        Some(server) => server.as_str(),
        None if fields.named("server").is_some() => text(fields, "server")?,
        None => HUB,
    };
    let bad = |character: char| character.is_whitespace() || character.is_control();
    if server.is_empty() || server.contains(bad) {
        return Err(DockerError::Server);
    }
    Ok(server)
}

fn login(
    fields: &Fields<'_>,
    registry: &Registry,
    out: &mut WipedBytes,
) -> Result<(), DockerError> {
    let username = text(fields, &registry.username)?;
    let password = text(fields, &registry.password)?;
    if username.contains(':') {
        return Err(DockerError::Colon(registry.username.clone()));
    }
    let mut pair = WipedBytes::default();
    for part in [username, ":", password] {
        pair.text(part);
    }
    let auth = base64::encode(SecretBytes::from(pair).expose());
    let mut entries = vec![("username", username), ("password", password)];
    if fields.named("email").is_some() {
        entries.push(("email", text(fields, "email")?));
    }
    entries.push(("auth", &auth));
    for (index, (name, value)) in entries.into_iter().enumerate() {
        out.text(if index == 0 { "{" } else { "," });
        quote(name, out);
        out.text(":");
        quote(value, out);
    }
    out.text("}");
    Ok(())
}

fn text<'f>(fields: &'f Fields<'_>, name: &str) -> Result<&'f str, DockerError> {
    let bytes = fields.bytes(name)?;
    std::str::from_utf8(bytes).map_err(|_| DockerError::NotText(name.to_owned()))
}

/// Why the fields give no pull secret.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum DockerError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("field {} is not UTF-8 text", printable::quoted(.0))]
    NotText(String),
    #[error("registry {} is there twice", printable::quoted(.0))]
    Twice(String),
    #[error("no field `server` names the registry, and Docker Hub takes none of the fields {0}")]
    NoServer(String),
    #[error("the registry's address is empty or holds white space")]
    Server,
    #[error("field {} holds `:`, which ends a user name in `auth`", printable::quoted(.0))]
    Colon(String),
}

impl Fault for DockerError {
    fn class(&self) -> Class {
        match self {
            Self::Field(error) => error.class(),
            Self::Json(error) => error.class(),
            Self::Twice(_) => Class::Configuration,
            Self::NotText(_) | Self::NoServer(_) | Self::Server | Self::Colon(_) => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Field(FieldError::Absent { there, .. }) => format!(
                "a pull secret is made of `username`, `password` and `server`, of `registries`, \
                 or of a ready `{PULL_KEY}`; the fields are {there}"
            ),
            Self::Field(error) => return error.hint(),
            Self::Json(error) => return error.hint(),
            Self::Twice(_) => "give each entry of `registries` its own `server`".to_owned(),
            Self::NoServer(_) => {
                "rename the field with the registry's address to `server`, or say `registries:`; \
                 for Docker Hub, `deliver` only `username`, `password` and `email`"
                    .to_owned()
            }
            Self::NotText(_) | Self::Server | Self::Colon(_) => {
                "correct it at its source".to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests;
