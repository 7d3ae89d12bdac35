//! The page for people: the state of everything as HTML. It has no script, loads nothing, and its
//! size is limited. Names come from outside, so each text is escaped where it is inserted.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

use super::status::{DeliveryStatus, RouteEnd, Status, StatusLine, VaultStatus, span};
use crate::base::coding::base64;
use crate::base::printable;
use crate::reflector::ReflectorStatus;

const STYLE: &str = include_str!("page/style.css");

/// How often a browser reloads the page.
const AGAIN_S: u64 = 10;

/// When the page has this length, no more deliveries are added.
const LONGEST: usize = 512 << 10;

/// The most characters of one text.
const TEXT: usize = 1000;

/// The most sources or targets of one delivery.
const PLACES: usize = 8;

const ARROW: &str = "<svg viewBox=\"0 0 32 16\" aria-hidden=\"true\"><path d=\"M1 8h28M22 \
    2l7 6-7 6\"/></svg>";

/// A browser may only use the page's own style, and do nothing else with the page.
pub(super) fn policy() -> String {
    let digest = Sha256::digest(STYLE.as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        *base64::encode(&digest)
    )
}

/// The whole page.
pub(super) fn page(status: &Status) -> String {
    let (level, sum) = sum(status);
    let Status {
        version,
        mode,
        instance,
        ..
    } = status;
    let instance = instance.as_deref().unwrap_or("this machine");
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta \
         name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta \
         http-equiv=\"refresh\" content=\"{AGAIN_S}\">\n<title>{}: {}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<header>\n<p class=\"who\">keyferry {} · {} · \
         {}</p>\n<h1 class=\"{}\">{}</h1>\n</header>\n<main>\n",
        Text(instance),
        Text(&sum),
        Text(version),
        Text(mode),
        Text(instance),
        class(level),
        Text(&sum),
    );
    if let Some(why) = &status.configuration {
        let shown = "the configuration on disk is refused, the old one is in use";
        card(
            &mut out,
            StatusLine::Failing,
            "configuration",
            shown,
            |out| {
                line(out, "why", why);
            },
        );
    }
    for vault in &status.vaults {
        vault_card(&mut out, vault);
    }
    if let Some(reflector) = &status.reflector {
        reflector_card(&mut out, reflector);
    }
    let mut deliveries: Vec<&DeliveryStatus> = status.deliveries.iter().collect();
    // The worst come first; deliveries in the same state stay in order of name.
    deliveries.sort_by_key(|delivery| delivery.standing());
    for (shown, delivery) in deliveries.iter().enumerate() {
        if out.len() > LONGEST {
            let left = deliveries.len() - shown;
            let text = format!("{left} more deliveries: keyferry status shows all");
            line(&mut out, "hint", &text);
            break;
        }
        delivery_card(&mut out, delivery);
    }
    out + "</main>\n<footer>\n<p>Names, ages and reasons, never a value. <code>keyferry \
           status</code> shows the same in a terminal.</p>\n</footer>\n</body>\n</html>\n"
}

/// The whole state in one line, and how bad it is.
fn sum(status: &Status) -> (StatusLine, String) {
    let deliveries = status.deliveries.iter();
    let standings: Vec<StatusLine> = deliveries.map(DeliveryStatus::standing).collect();
    let count = |of: StatusLine| standings.iter().filter(|standing| **standing == of).count();
    let idle = status.reflector.as_ref();
    let idle = idle.is_some_and(|reflector| !reflector.ready);
    let parts = [
        (
            count(StatusLine::NotReady),
            StatusLine::NotReady,
            "not ready",
        ),
        (
            usize::from(idle),
            StatusLine::NotReady,
            "reflector not ready",
        ),
        (
            usize::from(status.configuration.is_some()),
            StatusLine::Failing,
            "configuration refused",
        ),
        (count(StatusLine::Failing), StatusLine::Failing, "failing"),
        (count(StatusLine::Waiting), StatusLine::Waiting, "waiting"),
    ];
    let parts = parts.into_iter().filter(|(count, ..)| *count > 0);
    let worst = parts.clone().map(|(_, level, _)| level).min();
    let words = parts.map(|(count, level, word)| match (word, level) {
        ("reflector not ready" | "configuration refused", _) => word.to_owned(),
        (word, _) => format!("{count} of {} {word}", standings.len()),
    });
    match (worst, standings.len(), &status.reflector) {
        (Some(worst), ..) => (worst, words.collect::<Vec<_>>().join(", ")),
        (None, 0, None) => (StatusLine::Waiting, "starting".to_owned()),
        (None, ..) => (StatusLine::Good, "all in order".to_owned()),
    }
}

fn class(level: StatusLine) -> &'static str {
    match level {
        StatusLine::NotReady => "bad",
        StatusLine::Failing => "warn",
        StatusLine::Waiting => "wait",
        StatusLine::Good => "good",
    }
}

/// One box with a title and a word about it.
fn card(
    out: &mut String,
    level: StatusLine,
    title: &str,
    state: &str,
    inside: impl FnOnce(&mut String),
) {
    let _ = write!(
        out,
        "<article class=\"{}\">\n<header><h2>{}</h2><span class=\"state\">{}</span></header>\n",
        class(level),
        Text(title),
        Text(state),
    );
    inside(out);
    out.push_str("</article>\n");
}

fn line(out: &mut String, class: &str, text: &str) {
    let _ = writeln!(out, "<p class=\"{class}\">{}</p>", Text(text));
}

/// Small facts beside each other.
fn facts(out: &mut String, facts: &[(&str, String)]) {
    out.push_str("<dl>");
    for (what, text) in facts {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            Text(what),
            Text(text)
        );
    }
    out.push_str("</dl>\n");
}

fn vault_card(out: &mut String, vault: &VaultStatus) {
    let (level, state) = match (vault.up, vault.logged_in) {
        (false, _) => (StatusLine::Failing, "does not answer"),
        (true, Some(false)) => (StatusLine::Failing, "the last login failed"),
        (true, Some(true)) => (StatusLine::Good, "logged in"),
        (true, None) => (StatusLine::Good, "answers"),
    };
    card(
        out,
        level,
        &format!("vault {}", vault.server),
        state,
        |_| {},
    );
}

fn delivery_card(out: &mut String, delivery: &DeliveryStatus) {
    let state = match delivery.standing() {
        StatusLine::NotReady => "not ready",
        StatusLine::Failing => "ready, but failing",
        StatusLine::Waiting => "ready, a change waits",
        StatusLine::Good => "in order",
    };
    card(out, delivery.standing(), &delivery.name, state, |out| {
        route(out, delivery);
        let reason = delivery.reason.as_deref().unwrap_or_default();
        if !reason.is_empty() {
            line(out, "why", reason);
        }
        if let Some(failure) = &delivery.failure {
            // The reason often contains the failure already.
            if !reason.contains(&failure.what) {
                line(out, "why", &format!("{}: {}", failure.class, failure.what));
            }
            if let Some(hint) = &failure.hint {
                line(out, "hint", &format!("hint: {hint}"));
            }
        }
        if let Some(waiting) = &delivery.waiting {
            line(out, "why", &waiting.text);
        }
        if let Some(held) = &delivery.held {
            line(out, "why", held);
        }
        let ago = delivery.age_seconds.map(|age| format!("{} ago", span(age)));
        let ago = ago.unwrap_or_else(|| "never".to_owned());
        let earlier = if delivery.cached {
            ", by an earlier run"
        } else {
            ""
        };
        let at = delivery.last_success.as_ref();
        let at = at.map_or_else(String::new, |at| {
            let second = at.split('.').next().unwrap_or_default();
            format!(" ({}Z)", second.trim_end_matches('Z'))
        });
        let next = delivery.next_attempt_seconds;
        let next = next.map_or("now".to_owned(), |left| format!("in {}", span(left)));
        let mut known = vec![
            ("last success", ago + &at + earlier),
            ("next look", next),
            ("targets written", delivery.changes.to_string()),
            ("failed passes", delivery.failures.to_string()),
        ];
        if let Some(left) = delivery.lease_seconds {
            known.insert(2, ("lease", format!("{} left", span(left))));
        }
        facts(out, &known);
    });
}

/// Sources, an arrow, targets.
fn route(out: &mut String, delivery: &DeliveryStatus) {
    let computed = RouteEnd {
        kind: "the configuration".to_owned(),
        name: "alone".to_owned(),
    };
    let sources = match delivery.sources.is_empty() {
        true => std::slice::from_ref(&computed),
        false => &delivery.sources,
    };
    let secrets = delivery.secrets.iter().flat_map(|secrets| &secrets.names);
    let made: Vec<RouteEnd> = match delivery.targets.is_empty() {
        // The names of a manifest's Secrets are known only after it was read.
        true => secrets.map(|name| RouteEnd::secret(name)).collect(),
        false => Vec::new(),
    };
    out.push_str("<div class=\"route\">");
    places(out, "from", sources);
    out.push_str(ARROW);
    places(
        out,
        "to",
        if made.is_empty() {
            &delivery.targets
        } else {
            &made
        },
    );
    out.push_str("</div>\n");
}

fn places(out: &mut String, class: &str, places: &[RouteEnd]) {
    let _ = write!(out, "<ul class=\"{class}\">");
    for RouteEnd { kind, name } in places.iter().take(PLACES) {
        let (kind, name) = (Text(kind), Text(name));
        let _ = write!(out, "<li><span class=\"kind\">{kind}</span> {name}</li>");
    }
    if let Some(left) = places.len().checked_sub(PLACES).filter(|left| *left > 0) {
        let _ = write!(out, "<li>{left} more</li>");
    }
    out.push_str("</ul>");
}

fn reflector_card(out: &mut String, reflector: &ReflectorStatus) {
    let (level, state) = match (reflector.ready, reflector.leads) {
        (false, _) => (StatusLine::NotReady, "not ready"),
        (true, true) if reflector.held > 0 => (StatusLine::Failing, "leads, deletions are held"),
        (true, true) => (StatusLine::Good, "leads"),
        (true, false) => (StatusLine::Good, "another replica leads"),
    };
    card(out, level, "reflector", state, |out| {
        line(out, "text", &reflector.text);
        if !reflector.leads {
            return;
        }
        let refused: usize = reflector.refusals.values().sum();
        facts(
            out,
            &[
                ("sources", reflector.source_count.to_string()),
                ("copies wanted", reflector.wanted.to_string()),
                ("copies there", reflector.copies.to_string()),
                ("jobs", reflector.queued.to_string()),
                ("held deletions", reflector.held.to_string()),
                ("refused places", refused.to_string()),
            ],
        );
        let sources = reflector.sources.iter();
        let sources = sources.map(|source| {
            let at = format!("{} {}", source.kind, source.name);
            [at, source.copies.to_string()]
        });
        table(out, ["source", "copies"], sources, reflector.source_count);
        let places = reflector.refused.iter();
        let places = places.map(|place| {
            let at = format!("{} {}", place.kind, place.name);
            [at, format!("{}: {}", place.reason, place.text)]
        });
        table(out, ["refused", "why"], places, refused);
    });
}

/// A table of the first rows.
fn table(
    out: &mut String,
    head: [&str; 2],
    rows: impl ExactSizeIterator<Item = [String; 2]>,
    all: usize,
) {
    let shown = rows.len();
    if shown == 0 {
        return;
    }
    let [first, second] = head.map(Text);
    let _ = write!(out, "<table><tr><th>{first}</th><th>{second}</th></tr>");
    for row in rows {
        let [first, second] = row.each_ref().map(|text| Text(text));
        let _ = write!(out, "<tr><td>{first}</td><td>{second}</td></tr>");
    }
    out.push_str("</table>\n");
    if all > shown {
        line(out, "hint", &format!("{} more", all - shown));
    }
}

/// A text from outside: without markup, on one line, and of limited length.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = self.0.char_indices().nth(TEXT);
        let text = match cut {
            Some((at, _)) => Cow::Owned(format!("{}…", &self.0[..at])),
            None => Cow::Borrowed(self.0),
        };
        for c in printable::line(&text).chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::{FailureStatus, SecretsStatus, WaitingStatus};
    use super::*;
    use crate::reflector::{CopiedStatus, RefusedStatus};

    /// A status in which every text is `text`.
    fn everywhere(text: &str) -> Status {
        let text = || text.to_owned();
        let place = || RouteEnd {
            kind: text(),
            name: text(),
        };
        Status {
            version: text(),
            mode: text(),
            instance: Some(text()),
            configuration: Some(text()),
            vaults: vec![VaultStatus {
                server: text(),
                ..VaultStatus::default()
            }],
            reflector: Some(ReflectorStatus {
                text: text(),
                leads: true,
                sources: vec![CopiedStatus {
                    kind: text(),
                    name: text(),
                    copies: 1,
                }],
                refused: vec![RefusedStatus {
                    kind: text(),
                    name: text(),
                    reason: text(),
                    text: text(),
                }],
                ..ReflectorStatus::default()
            }),
            deliveries: vec![DeliveryStatus {
                name: text(),
                sources: vec![place()],
                targets: vec![place()],
                reason: Some(text()),
                last_success: Some(text()),
                waiting: Some(WaitingStatus {
                    text: text(),
                    ..WaitingStatus::default()
                }),
                secrets: Some(SecretsStatus {
                    names: vec![text()],
                    ..SecretsStatus::default()
                }),
                failure: Some(FailureStatus {
                    class: text(),
                    what: text() + "!",
                    hint: Some(text()),
                }),
                ..DeliveryStatus::default()
            }],
        }
    }

    #[test]
    fn row_136_no_text_is_markup_wherever_it_stands() {
        const PLACE: &str = "\u{1f5dd}";
        let clean = page(&everywhere(PLACE));
        assert!(clean.matches(PLACE).count() > 20);
        for (hostile, shown) in [
            (
                "<script>alert(1)</script>",
                "&lt;script&gt;alert(1)&lt;/script&gt;",
            ),
            (
                "\"><img src=x onerror=alert(1)>",
                "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;",
            ),
            (
                "</title></style><b>",
                "&lt;/title&gt;&lt;/style&gt;&lt;b&gt;",
            ),
            ("' onclick='x", "&#39; onclick=&#39;x"),
            ("&lt;script&gt;", "&amp;lt;script&amp;gt;"),
            ("<!--", "&lt;!--"),
            ("a\u{202e}b\u{0}\n", "a\\u202eb\\u0000\\n"),
        ] {
            let page = page(&everywhere(hostile));
            assert_eq!(page, clean.replace(PLACE, shown), "{hostile:?}");
        }
    }

    #[test]
    fn the_first_line_says_the_worst() {
        let delivery = |ready, failing, waits| DeliveryStatus {
            ready,
            failure: Option::from(FailureStatus::default()).filter(|_| failing),
            waiting: Option::from(WaitingStatus::default()).filter(|_| waits),
            ..DeliveryStatus::default()
        };
        let good = || delivery(true, false, false);
        let reflector = |ready| {
            Some(ReflectorStatus {
                ready,
                ..ReflectorStatus::default()
            })
        };
        for (deliveries, reflector, stale, want) in [
            (vec![], None, false, "wait: starting"),
            (vec![good()], None, false, "good: all in order"),
            (vec![], reflector(true), false, "good: all in order"),
            (vec![], reflector(false), false, "bad: reflector not ready"),
            (
                vec![good(), delivery(true, false, true)],
                None,
                false,
                "wait: 1 of 2 waiting",
            ),
            (
                vec![good(), delivery(true, true, true)],
                None,
                false,
                "warn: 1 of 2 failing",
            ),
            (vec![good()], None, true, "warn: configuration refused"),
            (
                vec![delivery(false, true, false), delivery(true, true, false)],
                None,
                true,
                "bad: 1 of 2 not ready, configuration refused, 1 of 2 failing",
            ),
        ] {
            let status = Status {
                deliveries,
                reflector,
                configuration: stale.then(String::new),
                ..Status::default()
            };
            let (level, text) = sum(&status);
            assert_eq!(format!("{}: {text}", class(level)), want);
        }
    }

    #[test]
    fn the_page_is_never_long() {
        let mut status = everywhere(&"<".repeat(2000));
        let mut many = status.deliveries.remove(0);
        many.sources = vec![many.sources.remove(0); PLACES + 4];
        many.targets = many.sources.clone();
        status.deliveries = vec![many; 200];
        let page = page(&status);
        assert!(page.len() < 1 << 20, "{}", page.len());
        assert!(page.contains("more deliveries: keyferry status shows all"));
        assert!(page.ends_with("</html>\n"));
        assert!(page.contains("<li>4 more</li>"));
    }
}
