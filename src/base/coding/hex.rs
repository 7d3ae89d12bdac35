//! Hexadecimal digits.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The two digits of a byte, in lower case.
pub(crate) fn pair(byte: u8) -> [u8; 2] {
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]
}

/// The digits of all bytes, in lower case.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| pair(*byte));
    digits.map(char::from).collect()
}

/// The byte that two digits stand for.
pub(crate) fn byte(high: u8, low: u8) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(high)? << 4 | value(low)?).ok()
}

/// The number that digits stand for, without a sign.
pub(crate) fn number(digits: &str) -> Option<u32> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_digits_stand_for_each_other() {
        assert_eq!(encode(b"\x00\x9f\xa0"), "009fa0");
        for value in 0..=u8::MAX {
            let [high, low] = pair(value);
            assert_eq!(byte(high, low), Some(value));
        }
        assert_eq!(byte(b'F', b'f'), Some(255));
        assert_eq!((byte(b'g', b'0'), byte(b'0', b'+')), (None, None));
        assert_eq!(number("00fF"), Some(255));
        assert_eq!([number(""), number("+0ff"), number("123456789")], [None; 3]);
    }
}
