//! Reads in Vault: paths and versions.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::super::check::Checker;
use super::super::located::{At, Shown};
use super::super::vault::DEFAULT_SERVER;
use super::Source;

/// One read in Vault. Equal reads are made once in a pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultRead {
    /// Name of the server.
    pub server: String,
    /// As written, without `/v1/` and outer slashes: `kv/data/a/b` and `kv/a/b` both name KV
    /// secrets.
    pub path: String,
    /// Whether the path is requested exactly as written, because its `/v1/` was written out. A path
    /// with `data` in it is requested so anyway.
    pub exact: bool,
    /// A version of a KV v2 secret.
    pub version: Option<u64>,
    /// JSON object to send: the request is then a write whose answer holds the data (PKI).
    pub write: Option<String>,
}

impl Checker<'_> {
    pub(super) fn vault(
        &mut self,
        path: &At<Shown>,
        server: Option<At<Shown>>,
        version: Option<At<RawVersion>>,
        write: Option<At<BTreeMap<String, serde_json::Value>>>,
    ) -> Option<Source> {
        let text = self.text(path);
        let read = self.vault_read(&text, path, server);
        let version = version.and_then(|version| self.version(version));
        Some(Source::Vault(VaultRead {
            version,
            write: write.map(|write| serde_json::Value::from_iter(write.value).to_string()),
            ..read?
        }))
    }

    /// A Vault path in one spelling: without `/v1/` and outer slashes.
    pub(in crate::config) fn vault_read(
        &mut self,
        text: &str,
        at: &At<Shown>,
        server: Option<At<Shown>>,
    ) -> Option<VaultRead> {
        let server = match server {
            Some(server) => self.server_name(&server)?,
            None => DEFAULT_SERVER.to_owned(),
        };
        let path = text.trim_matches('/');
        let (path, whole) = match path.strip_prefix("v1/") {
            Some(path) => (path, true),
            None => (path, false),
        };
        let unsafe_path = path.is_empty()
            || path.split('/').any(|part| matches!(part, "" | "." | ".."))
            || path
                .chars()
                .any(|c| c.is_control() || matches!(c, '?' | '#' | '%' | '\\'));
        if unsafe_path {
            let hint = match path.split_once('#') {
                Some((path, field)) if !path.is_empty() && !field.is_empty() => {
                    format!("take one field with `pick`: {{vault: {path}, pick: [{field}]}}")
                }
                _ => "write it as `kv/team/app` or `/v1/kv/data/team/app`".to_owned(),
            };
            self.problem(at, format!("`{text}` is no Vault path"), hint);
            return None;
        }
        Some(VaultRead {
            server,
            path: path.to_owned(),
            exact: whole && !path.contains("/data/"),
            version: None,
            write: None,
        })
    }

    /// The name of a server; nothing where a variable in it cannot be filled in.
    fn server_name(&mut self, written: &At<Shown>) -> Option<String> {
        let before = self.problems.len();
        let name = self.name(written, "the name of the server");
        (self.problems.len() == before).then_some(name)
    }
}

/// Vault reads version 0 as the newest.
pub const NO_VERSION_0: &str = "no secret has a version 0: the first is 1";

/// Version of a KV v2 secret, or the variable that says it.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum RawVersion {
    /// From 1.
    Number(#[schemars(range(min = 1))] u64),
    /// `${NAME}`.
    Variable(#[schemars(with = "Shown", extend("pattern" = r"\$\{"))] String),
}

impl<'de> Deserialize<'de> for RawVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = RawVersion;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 1, or `${NAME}`,")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<RawVersion, E> {
                if text.contains("${") {
                    return Ok(RawVersion::Variable(text.to_owned()));
                }
                let wrong = |_| E::invalid_value(serde::de::Unexpected::Str(text), &self);
                text.parse().map(RawVersion::Number).map_err(wrong)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Checker<'_> {
    pub(super) fn version(&mut self, written: At<RawVersion>) -> Option<u64> {
        let at = self.location(&written);
        let hint = "name one that is there, or leave `version` out for the newest";
        let version = match &written.value {
            RawVersion::Number(version) => *version,
            RawVersion::Variable(value) => {
                let before = self.problems.len();
                let text = self.text(&written.with(Shown(value.clone())));
                let parsed = text.trim().parse();
                if parsed.is_err() && self.problems.len() == before {
                    let what = "the version is no whole number once its variable is filled in";
                    self.problem(&at, what, hint);
                }
                parsed.ok()?
            }
        };
        if version == 0 {
            self.problem(&at, NO_VERSION_0, hint);
        }
        Some(version)
    }
}
