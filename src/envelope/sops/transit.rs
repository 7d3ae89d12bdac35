//! Data keys that the transit engine of a Vault encrypted: what a file says of them. Nothing here
//! asks Vault, and nothing that a file says is trusted.

use crate::base::material::{Node, SecretBytes};

use super::error::SopsError;
use super::fields::{shown, word};

/// Name of this kind of key.
pub(super) const TRANSIT: &str = "Vault transit";

/// The fields that name such a key.
pub(super) const FIELDS: [&str; 3] = ["vault_address", "engine_path", "key_name"];

/// Paths that hold no secrets engine.
const BUILTIN: [&str; 4] = ["sys", "auth", "identity", "cubbyhole"];

/// The data key, or a share of it, as a key of a transit engine encrypted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitKey {
    /// The server that sops asked, fit to be shown. We never send a token to an address from a
    /// file.
    pub address: String,
    engine: String,
    name: String,
    /// The ciphertext of the key.
    pub encrypted: String,
}

impl TransitKey {
    pub(super) fn read(node: &Node) -> Result<Self, SopsError> {
        let text = |name| word(node, name).map(Option::unwrap_or_default);
        let [address, engine, name] = FIELDS;
        Ok(Self {
            address: shown(text(address)?.trim_end_matches('/')),
            engine: text(engine)?.trim_matches('/').to_owned(),
            name: text(name)?.to_owned(),
            encrypted: text("enc")?.to_owned(),
        })
    }

    /// As reports name it.
    pub fn recipient(&self) -> String {
        let parts = [&self.address, &self.engine, &self.name];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        let parts: Vec<&str> = parts.map(String::as_str).collect();
        shown(&parts.join("/"))
    }

    /// The path that decrypts. Any other path is refused: the file may try to make us write
    /// elsewhere.
    pub fn path(&self) -> Result<String, SopsError> {
        let is_plain = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !matches!(part, "" | "." | "..") && part.chars().all(allowed)
        };
        let first = self.engine.split('/').next().unwrap_or_default();
        if !self.engine.split('/').all(is_plain) || BUILTIN.contains(&first) {
            return Err(SopsError::Metadata("engine_path"));
        }
        if !is_plain(&self.name) {
            return Err(SopsError::Metadata("key_name"));
        }
        Ok(format!("{}/decrypt/{}", self.engine, self.name))
    }
}

/// The secret that Vault decrypted for one key group.
#[derive(Debug)]
pub struct Share {
    /// Which group, by its place in the file.
    pub group: usize,
    /// The data key where there is one group, else a share of it.
    pub secret: SecretBytes,
    /// The key that decrypted it, as reports name it.
    pub by: String,
}

/// What Vault must decrypt to open a file, beside age identities.
#[derive(Debug)]
pub struct NeededTransit {
    /// How many more groups must open.
    pub count: usize,
    /// The groups that may, each with its place in the file and its keys: at least `count`.
    pub groups: Vec<(usize, Vec<TransitKey>)>,
}

/// Every transit key that a file names.
#[derive(Debug)]
pub struct Transit {
    /// In the order of the file.
    pub keys: Vec<TransitKey>,
    /// Whether age identities alone may open it too.
    pub beside_age: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(engine: &str, name: &str) -> TransitKey {
        let fields = [("engine_path", engine), ("key_name", name)];
        let fields = fields.map(|(name, text)| (name.to_owned(), Node::text(text)));
        TransitKey::read(&Node::Map(Vec::from(fields))).expect("texts")
    }

    #[test]
    fn row_196_a_path_of_a_file_names_one_key_of_an_engine_or_is_refused() {
        for (engine, name, want) in [
            ("transit", "app", "transit/decrypt/app"),
            ("/team/transit/", "a-b_c.d", "team/transit/decrypt/a-b_c.d"),
        ] {
            assert_eq!(key(engine, name).path().as_deref(), Ok(want));
        }
        for engine in [
            "",
            "/",
            "..",
            "a/../sys",
            "a//b",
            "./a",
            "a?b",
            "a#b",
            "a%2e",
            "a b",
            "a\\b",
            "a*",
            "+",
            "sys",
            "/auth/token",
            "identity/x",
            "cubbyhole",
            "kv\n",
            "é",
        ] {
            let error = SopsError::Metadata("engine_path");
            assert_eq!(key(engine, "app").path(), Err(error), "{engine:?}");
        }
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "../../sys/x",
            "a?b",
            "a%2f",
            "a b",
            "*",
            "+",
        ] {
            let error = SopsError::Metadata("key_name");
            assert_eq!(key("transit", name).path(), Err(error), "{name:?}");
        }
    }
}
