//! The few parts of a certificate that a chain, its key and its expiry need: names and public key
//! as DER, dates. Extensions are not read, so any version will do. No signature is checked here.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Facts that a certificate states about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub issuer: Vec<u8>,
    pub subject: Vec<u8>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// `SubjectPublicKeyInfo`, tag and length included.
    pub public_key: Vec<u8>,
}

impl Facts {
    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, the version.
const VERSION: u8 = 0xa0;

/// RFC 5280, 4.1: version, serial number, algorithm, issuer, validity, subject, public key.
/// `None` when the bytes are no certificate.
pub(super) fn read(der: &[u8]) -> Option<Facts> {
    let mut outer = Reader(Reader(der).expect(SEQUENCE)?);
    let mut body = Reader(outer.expect(SEQUENCE)?);
    if body.0.first() == Some(&VERSION) {
        body.expect(VERSION)?;
    }
    body.expect(INTEGER)?;
    body.expect(SEQUENCE)?;
    let issuer = body.expect(SEQUENCE)?.to_vec();
    let mut validity = Reader(body.expect(SEQUENCE)?);
    let not_before = validity.time()?;
    let not_after = validity.time()?;
    let subject = body.expect(SEQUENCE)?.to_vec();
    let rest = body.0;
    body.expect(SEQUENCE)?;
    let public_key = rest[..rest.len() - body.0.len()].to_vec();
    Some(Facts {
        issuer,
        subject,
        not_before,
        not_after,
        public_key,
    })
}

struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// The content of the next element, which must have this tag.
    fn expect(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (found, content) = self.element()?;
        (found == tag).then_some(content)
    }

    /// Tags of one byte and definite lengths of up to four: X.509 has no others here.
    fn element(&mut self) -> Option<(u8, &'d [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let count = usize::from(first & 0x7f);
            if !(1..=4).contains(&count) {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(count)?;
            rest = after;
            bytes
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte))
        };
        let (content, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, content))
    }

    /// `YYMMDDHHMMSSZ`, years from 1950 to 2049, or `YYYYMMDDHHMMSSZ`.
    fn time(&mut self) -> Option<Timestamp> {
        let (tag, content) = self.element()?;
        let digits = content.strip_suffix(b"Z")?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let pair = |at: usize| -> Option<i8> {
            std::str::from_utf8(digits.get(at..at + 2)?)
                .ok()?
                .parse()
                .ok()
        };
        let (year, rest) = match tag {
            UTC_TIME => {
                let year = i16::from(pair(0)?);
                (if year < 50 { 2000 + year } else { 1900 + year }, 2)
            }
            GENERALIZED_TIME => (i16::from(pair(0)?) * 100 + i16::from(pair(2)?), 4),
            _ => return None,
        };
        if digits.len() != rest + 10 {
            return None;
        }
        let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| pair(rest + at));
        let civil = DateTime::new(year, month?, day?, hour?, minute?, second?, 0).ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match u8::try_from(content.len()) {
            Ok(short) if short < 0x80 => out.push(short),
            _ => {
                let length = u16::try_from(content.len()).expect("short").to_be_bytes();
                out.extend([0x82, length[0], length[1]]);
            }
        }
        out.extend(content);
        out
    }

    fn certificate(from: &[u8], to: &[u8]) -> Vec<u8> {
        let body = [
            der(VERSION, &der(INTEGER, &[2])),
            der(INTEGER, &[7]),
            der(SEQUENCE, b""),
            der(SEQUENCE, b"issuer"),
            der(SEQUENCE, &[from, to].concat()),
            der(SEQUENCE, b"subject"),
            der(SEQUENCE, b"key"),
        ];
        der(SEQUENCE, &der(SEQUENCE, &body.concat()))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn names_and_dates_of_both_kinds_are_read() {
        let from = der(UTC_TIME, b"491231235959Z");
        let to = der(GENERALIZED_TIME, b"20500101000000Z");
        assert_eq!(
            read(&certificate(&from, &to)),
            Some(Facts {
                issuer: b"issuer".to_vec(),
                subject: b"subject".to_vec(),
                not_before: at("2049-12-31T23:59:59Z"),
                not_after: at("2050-01-01T00:00:00Z"),
                public_key: der(SEQUENCE, b"key"),
            })
        );
        let old = certificate(&der(UTC_TIME, b"500101000000Z"), &to);
        assert_eq!(
            read(&old).expect("valid").not_before,
            at("1950-01-01T00:00:00Z")
        );
    }

    #[test]
    fn malformed_dates_and_cut_bytes_give_nothing() {
        let good = der(UTC_TIME, b"300101000000Z");
        for bad in [
            &b"300101000000"[..],
            b"3001010000Z",
            b"301301000000Z",
            b"30010100000xZ",
            b"",
        ] {
            assert_eq!(read(&certificate(&good, &der(UTC_TIME, bad))), None);
        }
        let whole = certificate(&good, &good);
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "cut at {end}");
        }
    }
}
