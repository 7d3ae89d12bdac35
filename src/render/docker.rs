//! A pull secret: `.dockerconfigjson` from logins, or a ready-made one that is looked at before it is believed.
//!
//! Built from typed parts and escaped as JSON, never pasted together from a template. What is not wiped: serde_json's own
//! copy of a ready-made `auth` that is spelt with escapes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::config::Registry;
use crate::format::base64;
use crate::format::wiped::Wiped;
use crate::material::{Node, SecretBytes};
use crate::report::{Class, Fault};

use super::field::{Field, FieldError, Fields};
use super::json::{self, JsonError, quote};
use super::names::shown;

/// Its only key.
pub(super) const KEY: &str = ".dockerconfigjson";

/// Docker Hub, as every client spells it.
const HUB: &str = "https://index.docker.io/v1/";

/// Fields that hold a whole document.
const READY_MADE: [&str; 3] = [KEY, "dockerconfigjson", "config.json"];

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
        let mut out = Wiped::default();
        out.text("{\"auths\":");
        out.push(json::compact(field.value.node())?.expose());
        out.text("}");
        return checked(&field.name, out.into_secret());
    }
    let has_login = ["username", "password"]
        .into_iter()
        .any(|name| fields.named(name).is_some());
    match fields.list.as_slice() {
        [only] if !has_login => ready_made(fields, only),
        _ => from_logins(
            fields,
            &[Registry {
                server: None,
                username: "username".to_owned(),
                password: "password".to_owned(),
            }],
        ),
    }
}

/// A field with JSON text, or the same as nested values.
fn ready_made(fields: &Fields<'_>, field: &Field<'_>) -> Result<SecretBytes, DockerError> {
    let document = match field.value.node() {
        Node::Map(_) => json::compact(field.value.node())?,
        Node::Null
        | Node::Bool(_)
        | Node::Number(_)
        | Node::Time(_)
        | Node::Text(_)
        | Node::List(_) => SecretBytes::from(fields.leaf(field)?),
    };
    checked(&field.name, document)
}

fn checked(field: &str, document: SecretBytes) -> Result<SecretBytes, DockerError> {
    match serde_json::from_slice::<Document>(document.expose()) {
        Ok(_) => Ok(document),
        Err(error) => Err(DockerError::Malformed {
            field: field.to_owned(),
            line: error.line(),
            column: error.column(),
        }),
    }
}

fn from_logins(fields: &Fields<'_>, registries: &[Registry]) -> Result<SecretBytes, DockerError> {
    let mut out = Wiped::default();
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
    Ok(out.into_secret())
}

/// From the configuration, else the field `server`, else Docker Hub.
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

fn login(fields: &Fields<'_>, registry: &Registry, out: &mut Wiped) -> Result<(), DockerError> {
    let username = text(fields, &registry.username)?;
    let password = text(fields, &registry.password)?;
    if username.contains(':') {
        return Err(DockerError::Colon(registry.username.clone()));
    }
    let mut pair = Wiped::default();
    for part in [username, ":", password] {
        pair.text(part);
    }
    let auth = base64::encode(pair.into_secret().expose());
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

/// The shape every client reads. Nothing of it is kept.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "auths", deserialize_with = "auths")]
    _auths: (),
}

#[derive(Deserialize)]
struct Auth {
    #[serde(default, deserialize_with = "wiped")]
    auth: Option<Zeroizing<String>>,
    username: Option<IgnoredAny>,
    password: Option<IgnoredAny>,
    identitytoken: Option<IgnoredAny>,
    registrytoken: Option<IgnoredAny>,
}

impl Auth {
    fn is_login(&self) -> bool {
        match &self.auth {
            Some(auth) if !auth.is_empty() => {
                base64::decode_spaced(auth.as_bytes()).is_some_and(|pair| pair.contains(&b':'))
            }
            Some(_) | None => {
                self.username.is_some() && self.password.is_some()
                    || self.identitytoken.is_some()
                    || self.registrytoken.is_some()
            }
        }
    }
}

fn wiped<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Zeroizing::new))
}

fn auths<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    struct Auths;
    impl<'de> Visitor<'de> for Auths {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("registries with logins")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut any = false;
            while let Some((server, auth)) = map.next_entry::<String, Auth>()? {
                any = true;
                if server.is_empty() || !auth.is_login() {
                    return Err(serde::de::Error::custom("no login"));
                }
            }
            if any {
                Ok(())
            } else {
                Err(serde::de::Error::custom("no registry"))
            }
        }
    }
    from.deserialize_map(Auths)
}

/// Why fields make no pull secret.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum DockerError {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("field {} is not UTF-8 text", shown(.0))]
    NotText(String),
    #[error(
        "field {} is no docker configuration (line {line}, column {column})",
        shown(field)
    )]
    Malformed {
        field: String,
        line: usize,
        column: usize,
    },
    #[error("registry {} is there twice", shown(.0))]
    Twice(String),
    #[error("the registry's address is empty or holds white space")]
    Server,
    #[error("field {} holds `:`, which ends a user name in `auth`", shown(.0))]
    Colon(String),
}

impl Fault for DockerError {
    fn class(&self) -> Class {
        match self {
            Self::Field(error) => error.class(),
            Self::Json(error) => error.class(),
            Self::Malformed { .. } => Class::Corrupt,
            Self::Twice(_) => Class::Usage,
            Self::NotText(_) | Self::Server | Self::Colon(_) => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Field(FieldError::Absent { there, .. }) => format!(
                "a pull secret is made of `username`, `password` and `server`, of `registries`, or of a ready `{KEY}`; the fields are {there}"
            ),
            Self::Field(error) => return error.hint(),
            Self::Json(error) => return error.hint(),
            Self::Malformed { .. } => {
                "it takes `{\"auths\": {\"SERVER\": {\"auth\": base64 of USER:PASSWORD}}}`, one server at least".to_owned()
            }
            Self::Twice(_) => "give each entry of `registries` its own `server`".to_owned(),
            Self::NotText(_) | Self::Server | Self::Colon(_) => "correct it at its source".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
