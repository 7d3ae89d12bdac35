//! Identities: private keys from age's key files, OpenSSH key files and passphrases.
//!
//! We read key files line by line ourselves: the `age` crate refuses a whole file for one trailing
//! blank or one key of another kind, and a person with a bad file needs the number of the line
//! (never its content).

use std::fmt;

use ::age::DecryptError;
use age_core::format::{FileKey, Stanza};

use crate::base::material::SecretBytes;

use super::{AgeError, IdentityProblem, hybrid, open, openssh, passphrase, ssh_ed25519, ssh_rsa};

/// A key that opens age files. `Debug` shows its public half.
pub struct Identity {
    secret: Secret,
    recipient: String,
}

enum Secret {
    X25519(Box<::age::x25519::Identity>),
    Hybrid(Box<hybrid::HybridKey>),
    SshEd25519(ssh_ed25519::Ed25519Key),
    SshRsa(ssh_rsa::RsaKey),
    Passphrase(SecretBytes),
}

impl Identity {
    /// A passphrase. It opens only files encrypted with one.
    pub fn passphrase(passphrase: SecretBytes) -> Self {
        Self {
            secret: Secret::Passphrase(passphrase),
            recipient: "a passphrase".to_owned(),
        }
    }

    /// An unencrypted OpenSSH private key file.
    pub fn ssh(file: &SecretBytes) -> Result<Self, AgeError> {
        match openssh::parse(file.expose()).map_err(AgeError::KeyFile)? {
            openssh::PrivateKey::Ed25519(key) => Ok(Self {
                recipient: key.recipient(),
                secret: Secret::SshEd25519(key),
            }),
            openssh::PrivateKey::Rsa(key) => Ok(Self {
                recipient: key.recipient(),
                secret: Secret::SshRsa(key),
            }),
        }
    }

    /// The public half, as `.sops.yaml` and `age -r` take it. Reports show it.
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// Whether the identity is a passphrase.
    pub fn is_passphrase(&self) -> bool {
        matches!(self.secret, Secret::Passphrase(_))
    }

    /// The file key, if one of the stanzas is for this identity; an error if that stanza is broken.
    pub(super) fn unwrap_stanzas(
        &self,
        stanzas: &[Stanza],
    ) -> Option<Result<FileKey, DecryptError>> {
        stanzas.iter().find_map(|stanza| match &self.secret {
            Secret::X25519(key) => ::age::Identity::unwrap_stanza(&**key, stanza),
            Secret::Hybrid(key) => key.unwrap_stanza(stanza),
            Secret::SshEd25519(key) => key.unwrap_stanza(stanza),
            Secret::SshRsa(key) => key.unwrap_stanza(stanza),
            Secret::Passphrase(passphrase) => passphrase::unwrap_stanza(passphrase, stanza),
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient)
    }
}

/// All identities of a key file: lines as `age-keygen` writes them, or one OpenSSH private key.
pub fn identities(file: &SecretBytes) -> Result<Vec<Identity>, AgeError> {
    if is_encrypted(file) {
        return Err(AgeError::KeyFile(IdentityProblem::EncryptedIdentities));
    }
    let text = file
        .expose_str()
        .ok_or(AgeError::KeyFile(IdentityProblem::NotText))?;
    let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
    if text.starts_with("-----BEGIN ") {
        return Ok(vec![Identity::ssh(file)?]);
    }
    let found = lines(file.expose_str().unwrap_or_default())?;
    if found.is_empty() {
        return Err(AgeError::KeyFile(IdentityProblem::Empty));
    }
    Ok(found)
}

/// All identities of a key file that `age -p` encrypted. A file that is not encrypted is read too.
pub fn encrypted_identities(
    file: &SecretBytes,
    passphrase: Identity,
) -> Result<Vec<Identity>, AgeError> {
    if !is_encrypted(file) {
        return identities(file);
    }
    identities(&open(file.expose(), &[passphrase])?.plaintext)
}

fn is_encrypted(file: &SecretBytes) -> bool {
    let text = file.expose();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = text.trim_ascii_start();
    text.starts_with(b"age-encryption.org/")
        || text.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

/// Each word is a key; `#` begins a comment; blanks around and between keys mean nothing.
fn lines(text: &str) -> Result<Vec<Identity>, AgeError> {
    let mut found = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        for word in line.split_ascii_whitespace() {
            if word.starts_with('#') {
                break;
            }
            let line = index + 1;
            found.push(native(word).map_err(|problem| AgeError::Line { line, problem })?);
        }
    }
    Ok(found)
}

fn native(word: &str) -> Result<Identity, IdentityProblem> {
    if word.starts_with(hybrid::PREFIX) {
        let key = hybrid::HybridKey::parse(word).ok_or(IdentityProblem::Damaged)?;
        return Ok(Identity {
            recipient: key.recipient(),
            secret: Secret::Hybrid(Box::new(key)),
        });
    }
    if word.starts_with("AGE-SECRET-KEY-") {
        let key: ::age::x25519::Identity = word.parse().map_err(|_| IdentityProblem::Damaged)?;
        return Ok(Identity {
            recipient: key.to_public().to_string(),
            secret: Secret::X25519(Box::new(key)),
        });
    }
    Err(if word.starts_with("AGE-PLUGIN-") {
        IdentityProblem::Plugin
    } else if word.starts_with("age1") || word.starts_with("ssh-") {
        IdentityProblem::Recipient
    } else {
        IdentityProblem::Junk
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::failure::Failure;

    // Made by age-keygen for these tests; they open nothing.
    const ONE: &str = "AGE-SECRET-KEY-172DU8C2VEXH8E5ST8DMK867W73PE44S2HM5AC5NFYNRAFHKRKMRQ7MZFZP";
    const TWO: &str = "AGE-SECRET-KEY-15Z7SUPJXE9C593PSRN9YZVMEX2TYYCVW5PDWWQWFTL3CW04ZN4GSKT67LW";

    fn check(file: &str, expected: Result<usize, &str>) {
        let seen = identities(&SecretBytes::from(file));
        match (seen, expected) {
            (Ok(keys), Ok(count)) => assert_eq!(keys.len(), count, "{file:?}"),
            (Err(error), Err(text)) => assert_eq!(Failure::from(error).what, text),
            (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn lines_are_read_as_people_leave_them() {
        check(
            &format!("# created: x\r\n# public key: age1q\r\n{ONE}\r\n"),
            Ok(1),
        );
        check(&format!("\u{feff}\n\n  {ONE} \t# laptop\n{TWO}"), Ok(2));
        check(&format!("{ONE} {TWO}\n"), Ok(2));
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_never_by_its_content() {
        check(
            "hunter2\n",
            Err("line 1 of the key file is not an age identity"),
        );
        check(
            &format!("# x\n{ONE}\n{}q\n", &TWO[..60]),
            Err("line 3 of the key file is a damaged age identity"),
        );
        check(
            &ONE.to_ascii_lowercase(),
            Err("line 1 of the key file is not an age identity"),
        );
        check(
            "AGE-SECRET-KEY-PQ-1QQQQ\n",
            Err("line 1 of the key file is a damaged age identity"),
        );
        check(
            "\nage1tcfdysygmkedgdh8mwn5httx502f22ssyjvnt6nvvgds90rqgsfq968kh6",
            Err("line 2 of the key file is a recipient, the public half of a key"),
        );
        for plugin in ["AGE-PLUGIN-YUBIKEY-1QQQ", "AGE-PLUGIN-../X-1QQ"] {
            check(
                plugin,
                Err(
                    "line 1 of the key file is a plugin identity; keyferry runs no programs to \
                     open a file",
                ),
            );
        }
        check("# nothing\n", Err("the key file holds no identity"));
        check(
            "-----BEGIN AGE ENCRYPTED FILE-----\n",
            Err("the key file is itself encrypted with age"),
        );
        let binary = [&b"age-encryption.org/v1\n-> scrypt "[..], &[0xff]].concat();
        assert_eq!(
            identities(&SecretBytes::from(binary)).unwrap_err(),
            AgeError::KeyFile(IdentityProblem::EncryptedIdentities)
        );
        assert_eq!(
            identities(&SecretBytes::from(vec![0xff, 0xfe])).unwrap_err(),
            AgeError::KeyFile(IdentityProblem::NotText)
        );
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let keys = identities(&SecretBytes::from(ONE)).unwrap();
        assert!(format!("{keys:?}").starts_with("[Identity(age1"));
        let passphrase = Identity::passphrase(SecretBytes::from("hunter2"));
        assert_eq!(format!("{passphrase:?}"), "Identity(a passphrase)");
    }
}
