//! Vault servers and our identity there.

use std::path::{Path, PathBuf};

use super::source::DEFAULT_SERVER;
use super::{Config, Location};

/// One Vault or OpenBao server and the identity we have there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultServer {
    /// Its name in the configuration.
    pub name: String,
    /// `https://host:port`, without a path and without a final slash.
    pub address: String,
    /// Sent with each request.
    pub namespace: Option<String>,
    /// Only these roots are trusted where set; else the system's.
    pub ca_file: Option<PathBuf>,
    /// The name the certificate must carry, where it is not the host of the address.
    pub server_name: Option<String>,
    /// Whether `http://` may leave this machine.
    pub allow_plaintext: bool,
    /// How a token is had.
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
    /// The same wherever it was written.
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
}

impl Config {
    /// The server that is meant where another text names an address: the one of this address, else
    /// the one that sources use when they name none, or the only one.
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

/// How a Vault token is had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultAuth {
    /// A ServiceAccount token, checked by Vault at the API server.
    Kubernetes {
        /// Mount of the auth method (default: `kubernetes`).
        mount: String,
        /// The role to log in to.
        role: String,
        /// Re-read at each login.
        token_file: PathBuf,
    },
    /// Any JWT.
    Jwt {
        /// Mount of the auth method (default: `jwt`).
        mount: String,
        /// The role to log in to.
        role: String,
        /// Where the JWT comes from.
        token: JwtSource,
    },
    /// Role id and secret id.
    AppRole {
        /// Mount of the auth method (default: `approle`).
        mount: String,
        /// File with the role id.
        role_id_file: PathBuf,
        /// File with the secret id, or with the token that wraps it.
        secret_id_file: PathBuf,
        /// Whether the file holds a wrapping token.
        wrapped: bool,
    },
    /// A token somebody else obtained and renews.
    Token {
        /// Re-read at each pass; an agent's sink.
        file: PathBuf,
    },
}

/// Where a JWT comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtSource {
    /// A file, re-read at each login.
    File(PathBuf),
    /// The GitHub Actions runner, asked for a token with this audience.
    GithubActions {
        /// `aud` of the token.
        audience: String,
    },
}

impl VaultAuth {
    /// The files that show who we are.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Kubernetes { token_file, .. } => vec![token_file],
            Self::Jwt {
                token: JwtSource::File(file),
                ..
            }
            | Self::Token { file } => vec![file],
            Self::Jwt {
                token: JwtSource::GithubActions { .. },
                ..
            } => Vec::new(),
            Self::AppRole {
                role_id_file,
                secret_id_file,
                ..
            } => vec![role_id_file, secret_id_file],
        }
    }
}
