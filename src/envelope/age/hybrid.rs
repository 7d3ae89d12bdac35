//! Hybrid post-quantum identities (`AGE-SECRET-KEY-PQ-1…`): ML-KEM-768 and X25519 joined as X-Wing,
//! inside HPKE.
//!
//! The `age` crate has no such identity, and the current crates `hpke` and `x-wing` cannot be used
//! beside its `ml-kem`, so this file holds the missing parts. Rules: age's `mlkem768x25519` stanza,
//! X-Wing (draft-connolly-cfrg-xwing-kem), HPKE base mode of RFC 9180 with KEM 0x647a, HKDF-SHA256,
//! ChaCha20Poly1305.

use ::age::DecryptError;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{bech32_decode, bech32_encode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bech32::Hrp;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use ml_kem::kem::Decapsulate;
use ml_kem::{B32, EncodedSizeUser, KemCore, MlKem768};
use sha2::Sha256;
use sha3::digest::{ExtendableOutput, XofReader};
use sha3::{Digest, Sha3_256, Shake256};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::base::wiped::WipedBytes;

/// Beginning of a hybrid identity.
pub(super) const PREFIX: &str = "AGE-SECRET-KEY-PQ-1";

const TAG: &str = "mlkem768x25519";
const INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
/// The X-Wing label, drawn as a small ship: `\.//^\`.
const XWING_LABEL: &[u8] = br"\.//^\";
const SUITE: &[u8] = b"HPKE\x64\x7a\x00\x01\x00\x03";
const KEM_CIPHERTEXT: usize = 1088;
const ENCAPSULATED: usize = KEM_CIPHERTEXT + 32;

/// Both private halves, wiped when dropped.
pub(super) struct HybridKey {
    lattice: <MlKem768 as KemCore>::DecapsulationKey,
    lattice_public: <MlKem768 as KemCore>::EncapsulationKey,
    curve: StaticSecret,
    curve_public: PublicKey,
}

impl HybridKey {
    /// `None` when the text is damaged.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let seed: WipedBytes = bech32_decode(
            text,
            |_| (),
            |hrp| {
                (hrp == Hrp::parse_unchecked("AGE-SECRET-KEY-PQ-"))
                    .then_some(())
                    .ok_or(())
            },
            |_, bytes| Ok(WipedBytes::from(bytes.collect::<Vec<u8>>())),
        )
        .ok()?;
        (seed.len() == 32).then(|| Self::from_seed(&seed))
    }

    fn from_seed(seed: &[u8]) -> Self {
        let mut expanded = Zeroizing::new([0_u8; 96]);
        let mut shake = Shake256::default();
        sha3::digest::Update::update(&mut shake, seed);
        shake.finalize_xof().read(&mut expanded[..]);

        let mut d = B32::default();
        let mut z = B32::default();
        let mut curve = Zeroizing::new([0; 32]);
        d.copy_from_slice(&expanded[..32]);
        z.copy_from_slice(&expanded[32..64]);
        curve.copy_from_slice(&expanded[64..]);
        let (lattice, lattice_public) = MlKem768::generate_deterministic(&d, &z);
        zeroize::Zeroize::zeroize(&mut d[..]);
        zeroize::Zeroize::zeroize(&mut z[..]);

        let curve = StaticSecret::from(*curve);
        Self {
            lattice,
            lattice_public,
            curve_public: PublicKey::from(&curve),
            curve,
        }
    }

    /// `age1pq1…`, some two thousand characters.
    pub(super) fn recipient(&self) -> String {
        let mut public = self.lattice_public.as_bytes().to_vec();
        public.extend_from_slice(self.curve_public.as_bytes());
        bech32_encode(Hrp::parse_unchecked("age1pq"), &public)
    }

    /// `None` when the stanza is of another kind or for another key.
    pub(super) fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        if stanza.tag != TAG {
            return None;
        }
        let Some(encapsulated) = encapsulated(stanza) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        let Some(shared) = self.decapsulate(&encapsulated) else {
            return Some(Err(DecryptError::InvalidHeader));
        };
        let opened = Zeroizing::new(open(&shared, &stanza.body)?);
        Some(Ok(FileKey::init_with_mut(|file_key| {
            file_key.copy_from_slice(&opened);
        })))
    }

    /// X-Wing's decapsulation; `None` when the curve's point is of small order.
    fn decapsulate(&self, encapsulated: &[u8; ENCAPSULATED]) -> Option<Zeroizing<[u8; 32]>> {
        let (lattice_part, curve_part) = encapsulated.split_at(KEM_CIPHERTEXT);
        let ciphertext = lattice_part.try_into().ok()?;
        let lattice_secret = self.lattice.decapsulate(&ciphertext).ok()?;

        let point: [u8; 32] = curve_part.try_into().ok()?;
        let curve_secret = self.curve.diffie_hellman(&PublicKey::from(point));
        if !curve_secret.was_contributory() {
            return None;
        }
        let shared = Sha3_256::new()
            .chain_update(lattice_secret)
            .chain_update(curve_secret.as_bytes())
            .chain_update(point)
            .chain_update(self.curve_public.as_bytes())
            .chain_update(XWING_LABEL)
            .finalize();
        Some(Zeroizing::new(shared.into()))
    }
}

/// The argument of a stanza; `None` unless it is the only one and the body has the right length.
fn encapsulated(stanza: &Stanza) -> Option<[u8; ENCAPSULATED]> {
    let [argument] = stanza.args.as_slice() else {
        return None;
    };
    let bytes = STANDARD_NO_PAD.decode(argument).ok()?;
    (stanza.body.len() == FILE_KEY_BYTES + 16)
        .then(|| bytes.try_into().ok())
        .flatten()
}

/// HPKE `OpenBase` of a single message without additional data.
fn open(shared: &[u8; 32], ciphertext: &[u8]) -> Option<Vec<u8>> {
    let mut context = vec![0_u8];
    context.extend_from_slice(&extract(&[], b"psk_id_hash", &[]).0);
    context.extend_from_slice(&extract(&[], b"info_hash", INFO).0);
    let (_, secret) = extract(shared, b"secret", &[]);

    let mut key = Zeroizing::new([0; 32]);
    let mut nonce = [0; 12];
    expand(&secret, b"key", &context, &mut key[..])?;
    expand(&secret, b"base_nonce", &context, &mut nonce)?;
    ChaCha20Poly1305::new((&*key).into())
        .decrypt(&nonce.into(), ciphertext)
        .ok()
}

/// `LabeledExtract`.
fn extract(salt: &[u8], label: &[u8], ikm: &[u8]) -> ([u8; 32], Hkdf<Sha256>) {
    let labeled = Zeroizing::new([b"HPKE-v1", SUITE, label, ikm].concat());
    let (pseudorandom, hkdf) = Hkdf::<Sha256>::extract(Some(salt), &labeled);
    (pseudorandom.into(), hkdf)
}

/// `LabeledExpand`.
fn expand(secret: &Hkdf<Sha256>, label: &[u8], info: &[u8], out: &mut [u8]) -> Option<()> {
    let length = u16::try_from(out.len()).ok()?.to_be_bytes();
    secret
        .expand_multi_info(&[&length, b"HPKE-v1", SUITE, label, info], out)
        .ok()
}
