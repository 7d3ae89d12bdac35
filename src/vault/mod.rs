//! A client for Vault and OpenBao: our own transport, envelope and errors under the endpoint types of `vaultrs`.
//!
//! Architecture invariant: no redirect leaves the configured host, no body or token is in an error, and one identity has one token.

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::config::{VaultRead, VaultServer};
use crate::material::Material;
use crate::report::Failure;

/// One server, one identity, at most one token. Logs in on first use.
pub struct Session {
    server: VaultServer,
    deadline: Instant,
}

impl Session {
    /// A session that has not connected yet.
    pub fn new(server: VaultServer, deadline: Instant) -> Self {
        Self { server, deadline }
    }

    /// Reads (or, with `write`, writes) one path and gives its data.
    pub async fn read(&self, read: &VaultRead) -> Result<Material, Failure> {
        todo!("vault helper")
    }

    /// Revokes the token unless leased data was delivered; waits at most two seconds, warns, never fails.
    pub async fn close(self) {
        todo!("vault helper")
    }
}
