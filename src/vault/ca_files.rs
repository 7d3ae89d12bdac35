//! Checks the CA files of Vault servers before any request.

use crate::base::failure::Class;
use crate::config::problem::Problem;
use crate::config::{Config, VaultServer};
use crate::net::check_ca_file;

/// The problems of CA files of servers that are used: with such a file every read fails.
pub fn check_roots(config: &Config) -> Vec<Problem> {
    let servers = config.vaults.values();
    let over_tls = servers.filter(|server| server.address.starts_with("https:"));
    let problem = |server: &VaultServer| {
        let error = check_ca_file(server.ca_file.as_ref()?).err()?;
        Some(Problem {
            at: server.ca_at.clone(),
            what: error.to_string(),
            hint: error.hint(),
            class: Class::Configuration,
        })
    };
    over_tls.filter_map(problem).collect()
}
