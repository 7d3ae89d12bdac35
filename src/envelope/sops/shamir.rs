//! Shamir's secret sharing as SOPS has it (from HashiCorp's Vault): GF(2^8) with the polynomial
//! 0x11B, byte by byte, and a share's coordinate behind its bytes. Nothing here branches on a
//! secret or indexes a table by it.

use crate::base::wiped::WipedBytes;

/// The secret of these shares; `None` when they cannot belong together.
pub(super) fn combine(shares: &[WipedBytes]) -> Option<WipedBytes> {
    let first = shares.first().filter(|share| share.len() >= 2)?;
    let length = first.len() - 1;
    let mut coordinates = Vec::with_capacity(shares.len());
    for share in shares {
        let (coordinate, bytes) = share.split_last()?;
        // A share at 0 would be the secret itself.
        if bytes.len() != length || *coordinate == 0 || coordinates.contains(coordinate) {
            return None;
        }
        coordinates.push(*coordinate);
    }
    if shares.len() < 2 {
        return None;
    }
    let mut secret = WipedBytes::from(vec![0; length]);
    for (index, share) in shares.iter().enumerate() {
        let weight = weight(&coordinates, index);
        for (sum, byte) in secret.iter_mut().zip(share.iter()) {
            *sum ^= multiply(*byte, weight);
        }
    }
    Some(secret)
}

/// Lagrange's factor of one share at 0.
fn weight(coordinates: &[u8], index: usize) -> u8 {
    let own = coordinates[index];
    coordinates
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != index)
        .fold(1, |product, (_, other)| {
            multiply(product, multiply(*other, inverse(own ^ other)))
        })
}

/// Russian peasant multiplication, with masks instead of branches.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & 0u8.wrapping_sub(b & 1);
        a = (a << 1) ^ (0x1b & 0u8.wrapping_sub(a >> 7));
        b >>= 1;
    }
    product
}

/// `a` to the power of 254.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    let mut product = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        product = multiply(product, power);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares of one polynomial for each byte: `byte + slope·x`.
    fn shares(secret: &[u8], coordinates: &[u8]) -> Vec<WipedBytes> {
        let share = |x: &u8| {
            let bytes = secret
                .iter()
                .zip(3u8..)
                .map(|(byte, slope)| byte ^ multiply(slope, *x));
            WipedBytes::from(bytes.chain([*x]).collect::<Vec<u8>>())
        };
        coordinates.iter().map(share).collect()
    }

    #[test]
    fn the_field_is_that_of_the_standard() {
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        for a in 1..=255 {
            assert_eq!(multiply(a, inverse(a)), 1, "{a}");
        }
    }

    #[test]
    fn enough_shares_give_the_secret_in_any_order() {
        let secret = b"sixteen byte key";
        for coordinates in [&[1, 2][..], &[255, 7], &[3, 9, 200]] {
            let combined = combine(&shares(secret, coordinates));
            assert_eq!(combined.as_deref(), Some(&secret[..]));
        }
    }

    #[test]
    fn shares_that_cannot_belong_together_give_nothing() {
        for coordinates in [&[][..], &[1], &[4, 4], &[0, 1]] {
            let combined = combine(&shares(b"secret", coordinates));
            assert!(combined.is_none(), "{coordinates:?}");
        }
        let mut uneven = shares(b"secret", &[1, 2]);
        uneven[0].byte(5);
        assert!(combine(&uneven).is_none());
        assert!(combine(&shares(b"", &[1, 2])).is_none());
    }
}
