//! OpenSSH's private key files (`-----BEGIN OPENSSH PRIVATE KEY-----`), unencrypted: the two kinds
//! of key age uses.

use crate::base::coding::base64;
use crate::base::wiped::WipedBytes;

use super::{IdentityProblem, ssh_ed25519, ssh_rsa};

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";

/// A key of a kind that age uses.
pub(super) enum PrivateKey {
    Ed25519(ssh_ed25519::Ed25519Key),
    Rsa(ssh_rsa::RsaKey),
}

/// Reads a whole file.
pub(super) fn parse(file: &[u8]) -> Result<PrivateKey, IdentityProblem> {
    let text = std::str::from_utf8(file).map_err(|_| IdentityProblem::NotText)?;
    let binary = unarmored(text.trim_start_matches('\u{feff}').trim_ascii())?;
    let mut fields = Fields(
        binary
            .strip_prefix(b"openssh-key-v1\0")
            .ok_or(IdentityProblem::DamagedSsh)?,
    );
    let cipher = fields.string()?;
    let derivation = fields.string()?;
    let _derivation_options = fields.string()?;
    if cipher != b"none" || derivation != b"none" {
        return Err(IdentityProblem::EncryptedSsh);
    }
    if fields.number()? != 1 {
        return Err(IdentityProblem::DamagedSsh);
    }
    let public = fields.string()?;
    private_half(fields.string()?, public)
}

fn unarmored(text: &str) -> Result<WipedBytes, IdentityProblem> {
    let Some(body) = text.strip_prefix(BEGIN) else {
        let encrypted = text.contains("ENCRYPTED");
        return Err(match text.starts_with("-----BEGIN ") {
            true if encrypted => IdentityProblem::EncryptedSsh,
            true => IdentityProblem::ForeignSsh,
            false => IdentityProblem::Junk,
        });
    };
    let body = body.strip_suffix(END).ok_or(IdentityProblem::DamagedSsh)?;
    base64::decode_spaced(body.as_bytes()).ok_or(IdentityProblem::DamagedSsh)
}

fn private_half(section: &[u8], public: &[u8]) -> Result<PrivateKey, IdentityProblem> {
    let mut fields = Fields(section);
    if fields.number()? != fields.number()? {
        return Err(IdentityProblem::DamagedSsh);
    }
    let kind = fields.string()?;
    if kind != Fields(public).string()? {
        return Err(IdentityProblem::DamagedSsh);
    }
    match kind {
        b"ssh-ed25519" => ed25519(&mut fields, public),
        b"ssh-rsa" => rsa(&mut fields, public),
        _ => Err(IdentityProblem::SshType),
    }
}

fn ed25519(fields: &mut Fields<'_>, public: &[u8]) -> Result<PrivateKey, IdentityProblem> {
    let point = fields.string()?;
    let pair = fields.string()?;
    let (seed, point_again) = pair
        .split_first_chunk::<32>()
        .ok_or(IdentityProblem::DamagedSsh)?;
    if point_again != point || !public.ends_with(point) || point.len() != 32 {
        return Err(IdentityProblem::DamagedSsh);
    }
    Ok(PrivateKey::Ed25519(ssh_ed25519::Ed25519Key::new(
        seed, public,
    )))
}

fn rsa(fields: &mut Fields<'_>, public: &[u8]) -> Result<PrivateKey, IdentityProblem> {
    let numbers = ssh_rsa::Numbers {
        n: fields.string()?,
        e: fields.string()?,
        d: fields.string()?,
        q_inverse: fields.string()?,
        p: fields.string()?,
        q: fields.string()?,
    };
    // aws-lc refuses all other wrong sizes; this bound saves the time that huge numbers would cost.
    if numbers.n.len() > 1025
        || numbers.d.len() > 1025
        || numbers.p.len() > 1025
        || numbers.q.len() > 1025
    {
        return Err(IdentityProblem::SshRsa);
    }
    ssh_rsa::RsaKey::new(&numbers, public)
        .map(PrivateKey::Rsa)
        .ok_or(IdentityProblem::SshRsa)
}

/// SSH's wire encoding (RFC 4251): numbers of four bytes, strings with their length before them.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u32, IdentityProblem> {
        let (bytes, rest) = self
            .0
            .split_first_chunk::<4>()
            .ok_or(IdentityProblem::DamagedSsh)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    fn string(&mut self) -> Result<&'a [u8], IdentityProblem> {
        let length = usize::try_from(self.number()?).map_err(|_| IdentityProblem::DamagedSsh)?;
        let (string, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(IdentityProblem::DamagedSsh)?;
        self.0 = rest;
        Ok(string)
    }
}
