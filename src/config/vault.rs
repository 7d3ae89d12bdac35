//! Vault and OpenBao servers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::auth::{RawAuth, VaultAuth};
use super::check::Checker;
use super::located::{At, Shown};
use super::{Config, Location, target};
use crate::base::address::{is_bare, is_private};
use crate::base::failure::Class;

/// A Vault or OpenBao server and our identity there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RawVault {
    /// `https://host:port` (default: VAULT_ADDR or BAO_ADDR).
    pub address: Option<At<Shown>>,
    /// Namespace of the server (default: VAULT_NAMESPACE or BAO_NAMESPACE).
    pub namespace: Option<At<Shown>>,
    /// File with the only roots that are trusted (default: VAULT_CACERT or BAO_CACERT, else the
    /// system's).
    pub ca_file: Option<At<Shown>>,
    /// Name in the server's certificate, if it is not the host of the address.
    pub server_name: Option<At<Shown>>,
    /// Allow http:// to another machine. Tokens and values are then readable on the way.
    #[serde(default)]
    pub allow_plaintext: bool,
    /// How keyferry logs in.
    pub auth: At<RawAuth>,
}

/// One Vault or OpenBao server and the identity we have there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultServer {
    /// Its name in the configuration.
    pub name: String,
    /// `https://host:port`, without a path and without a final slash.
    pub address: String,
    /// Namespace on the server, sent with each request.
    pub namespace: Option<String>,
    /// The only trusted roots; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// The name the certificate must carry, where it is not the host of the address.
    pub server_name: Option<String>,
    /// Whether `http://` may leave this machine.
    pub allow_plaintext: bool,
    /// How keyferry gets a token.
    pub auth: VaultAuth,
    /// Where it was written.
    pub at: Location,
    /// Where its CA file was named.
    pub ca_at: Location,
    /// Where its address was written.
    pub address_at: Location,
    /// Where our identity was written.
    pub auth_at: Location,
}

impl VaultServer {
    /// The server without the places where it was written.
    #[must_use]
    pub fn anywhere(&self) -> Self {
        Self {
            at: Location::default(),
            ca_at: Location::default(),
            address_at: Location::default(),
            auth_at: Location::default(),
            ..self.clone()
        }
    }

    /// Whether another file declares the same server. Paths are compared by spelling, without
    /// `..`: each begins with the folder of its own file.
    pub(super) fn is_also(&self, other: &Self) -> bool {
        let normal = |server: &Self| {
            let mut server = server.anywhere();
            let files = server.auth.files_mut().into_iter();
            files
                .chain(&mut server.ca_file)
                .for_each(|file| *file = target::normal(file));
            server
        };
        normal(self) == normal(other)
    }
}

impl Config {
    /// The server for an address in another text: the one of this address, else the one that
    /// sources use when they name none, or the only one.
    pub fn vault_of(&self, address: &str) -> Option<&VaultServer> {
        let mut same = self.vaults.values().filter(|one| one.address == address);
        let only = || match self.vaults.len() {
            1 => self.vaults.values().next(),
            _ => None,
        };
        let usual = || self.vaults.get(DEFAULT_SERVER).or_else(only);
        same.next().or_else(usual)
    }
}

impl Checker<'_> {
    /// All servers by name: the one without a name is the one that sources use when they name none.
    pub(super) fn servers(
        &self,
        vault: Option<At<RawVault>>,
        vaults: BTreeMap<String, At<RawVault>>,
    ) -> impl Iterator<Item = (String, At<RawVault>)> + use<> {
        let default = vault.map(|vault| (DEFAULT_SERVER.to_owned(), vault));
        default.into_iter().chain(vaults)
    }

    pub(super) fn server(&mut self, name: &str, written: At<RawVault>) -> Option<VaultServer> {
        let at = self.location(&written);
        self.no_variable(&written, "the server", name);
        let RawVault {
            address,
            namespace,
            ca_file,
            server_name,
            allow_plaintext,
            auth,
        } = written.value;
        let address = match &address {
            Some(address) => (self.text(address), self.location(address)),
            None => (
                self.first_set(&["VAULT_ADDR", "BAO_ADDR"])
                    .unwrap_or_default(),
                at.clone(),
            ),
        };
        let (address_at, auth_at) = (address.1.clone(), self.location(&auth));
        let address = self.address(address.0, address.1, allow_plaintext);
        let namespace = match namespace {
            Some(namespace) => Some(self.name(&namespace, "the namespace")),
            None => self.first_set(&["VAULT_NAMESPACE", "BAO_NAMESPACE"]),
        };
        let ca_at = ca_file
            .as_ref()
            .map_or_else(|| at.clone(), |file| self.location(file));
        let ca_file = match ca_file {
            Some(file) => Some(self.path(&file)),
            None => self
                .first_set(&["VAULT_CACERT", "BAO_CACERT"])
                .map(Into::into),
        };
        let server_name = server_name.map(|name| self.name(&name, "the server name"));
        let auth = self.auth(auth);
        Some(VaultServer {
            name: name.to_owned(),
            address: address?,
            namespace,
            ca_file,
            server_name,
            allow_plaintext,
            auth: auth?,
            at,
            ca_at,
            address_at,
            auth_at,
        })
    }

    /// The first of these variables that is set.
    fn first_set(&self, names: &[&str]) -> Option<String> {
        let set = |name: &&str| (self.outside.env)(name).filter(|value| !value.is_empty());
        names.iter().find_map(set)
    }

    fn address(&mut self, text: String, at: Location, allow_plaintext: bool) -> Option<String> {
        let uri: Option<http::Uri> = text.parse().ok();
        let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let what = match &uri {
            _ if text.is_empty() => {
                "the Vault server has no address, and VAULT_ADDR is not set".to_owned()
            }
            None => format!("`{text}` is no server address"),
            Some(uri) if !is_bare(uri) => {
                format!("`{text}` holds more than scheme, host and port")
            }
            Some(uri) if !allow_plaintext && !is_private(uri) => {
                let what = format!("`{text}` would send tokens and values in clear text");
                let hint = "use https://, or say `allowPlaintext: true`";
                self.report(Class::Refused, &at, what, hint);
                return None;
            }
            Some(_) => return Some(text.trim_end_matches('/').to_owned()),
        };
        self.problem(&at, what, "write it as https://host:8200");
        None
    }
}

/// The name of the server that sources use when they name none.
pub(super) const DEFAULT_SERVER: &str = "default";
