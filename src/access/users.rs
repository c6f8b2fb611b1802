//! Whose credentials a request shows.
//!
//! What is kept of credentials is a keyed digest: it has one length, so comparing says nothing of theirs, and its key is drawn anew
//! each time, so nobody can know which digest credentials have. All are compared with, each in constant time.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::config::{Credentials, User};

/// Padding is left out by some.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const KEY_BYTES: usize = 32;

/// What whoever shows no credentials is asked for, as `WWW-Authenticate` says it.
pub type Challenge = &'static str;

const BASIC: Challenge = "Basic realm=\"seriesgate\", charset=\"UTF-8\"";
const BEARER: Challenge = "Bearer realm=\"seriesgate\"";
const EITHER: Challenge = "Basic realm=\"seriesgate\", charset=\"UTF-8\", Bearer realm=\"seriesgate\"";

/// Those who may use a port.
pub struct Users<G> {
    key: hmac::Key,
    known: Vec<(hmac::Tag, G)>,
    challenge: Challenge,
}

/// Nothing of whom it knows.
impl<G> std::fmt::Debug for Users<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

/// By which somebody is known, before the digest. The scheme is a part of it: a token is no password.
enum Shown<'s> {
    /// Name, colon, password.
    Basic(&'s [u8]),
    Bearer(&'s [u8]),
}

impl<G: Clone> Users<G> {
    /// Those of a config.
    pub(super) fn new(users: &[User<G>]) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; KEY_BYTES];
        getrandom::fill(&mut bytes)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        let known = users.iter().map(|user| {
            let digest = match &user.credentials {
                Credentials::Basic(basic) => {
                    let pair = format!("{}:{}", basic.username, basic.password.expose());
                    digest(&key, &Shown::Basic(pair.as_bytes()))
                }
                Credentials::Bearer(token) => digest(&key, &Shown::Bearer(token.expose().as_bytes())),
            };
            (digest, user.grant.clone())
        });
        let known = known.collect();
        let is_basic = |user: &User<G>| matches!(user.credentials, Credentials::Basic(_));
        let challenge = match (users.iter().any(is_basic), users.iter().all(is_basic)) {
            (true, true) => BASIC,
            (true, false) => EITHER,
            (false, _) => BEARER,
        };
        Ok(Self { key, known, challenge })
    }
}

impl<G> Users<G> {
    /// What the one may whose credentials a request shows; `None`: it shows none, or none that are known, or several.
    pub fn grant(&self, headers: &HeaderMap) -> Option<&G> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let shown = self.digest_of(value.as_bytes())?;
        let mut found = None;
        for (digest, grant) in &self.known {
            if bool::from(digest.as_ref().ct_eq(shown.as_ref())) {
                found = Some(grant);
            }
        }
        found
    }

    /// What whoever is not known is asked for.
    pub fn challenge(&self) -> Challenge {
        self.challenge
    }

    fn digest_of(&self, authorization: &[u8]) -> Option<hmac::Tag> {
        let blank = authorization.iter().position(|b| *b == b' ')?;
        let (scheme, rest) = authorization.split_at(blank);
        let rest = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return Some(digest(&self.key, &Shown::Bearer(rest)));
        }
        let is_basic = scheme.eq_ignore_ascii_case(b"basic");
        let pair = BASE64.decode(rest).ok().filter(|_| is_basic)?;
        Some(digest(&self.key, &Shown::Basic(&pair)))
    }
}

fn digest(key: &hmac::Key, shown: &Shown<'_>) -> hmac::Tag {
    let (scheme, bytes) = match shown {
        Shown::Basic(pair) => (b"basic ", pair),
        Shown::Bearer(token) => (b"token ", token),
    };
    let mut context = hmac::Context::with_key(key);
    context.update(scheme);
    context.update(bytes);
    context.sign()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD as ENCODED;
    use hyper::header::HeaderValue;

    use super::*;
    use crate::config::{BasicAuth, Secret};

    fn basic(username: &str, password: &str, grant: u8) -> User<u8> {
        let (username, password) = (username.to_owned(), Secret::new(password));
        User { credentials: Credentials::Basic(BasicAuth { username, password }), grant }
    }

    fn bearer(token: &str, grant: u8) -> User<u8> {
        User { credentials: Credentials::Bearer(Secret::new(token)), grant }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()));
        values.collect()
    }

    #[test]
    fn credentials_are_known_to_the_letter() {
        let users = Users::new(&[basic("a", "p:w", 1), basic("a", "new", 2), bearer("a:p:w", 3)]).unwrap();
        let pair = |text: &str| ENCODED.encode(text);
        let grant = |value: &str| users.grant(&headers(&[value])).copied();
        for (value, known) in [
            (format!("Basic {}", pair("a:p:w")), Some(1)),
            (format!("bASIC  {}", pair("a:p:w")), Some(1)),
            (format!("Basic {}", pair("a:new").trim_end_matches('=')), Some(2)),
            ("Bearer a:p:w".to_owned(), Some(3)),
            ("bearer a:p:w".to_owned(), Some(3)),
            (format!("Basic {}", pair("a:P:w")), None),
            (format!("Basic {}", pair("a:p:ww")), None),
            (format!("Basic {}", pair("a:p:")), None),
            (format!("Basic {}", pair("A:p:w")), None),
            (format!("Basic {}", pair("a")), None),
            (format!("Bearer {}", pair("a:p:w")), None),
            ("Basic a:p:w".to_owned(), None),
            ("Basic".to_owned(), None),
            ("Bearer ".to_owned(), None),
            ("a:p:w".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(grant(&value), known, "{value}");
        }
        assert_eq!(users.grant(&HeaderMap::new()), None);
        let known = "Bearer a:p:w";
        assert_eq!(users.grant(&headers(&[known, known])), None, "which one counts is not for us to guess");
    }

    #[test]
    fn whoever_is_not_known_is_asked_for_what_there_is() {
        let challenge = |users: &[User<u8>]| Users::new(users).unwrap().challenge();
        assert_eq!(challenge(&[basic("a", "b", 1)]), BASIC);
        assert_eq!(challenge(&[bearer("a", 1)]), BEARER);
        assert_eq!(challenge(&[bearer("a", 1), basic("a", "b", 1)]), EITHER);
    }

    #[test]
    fn a_secret_does_not_show() {
        let users = [basic("a", "hunter2", 1), bearer("hunter2", 2)];
        let shown = format!("{:?} {users:?}", Users::new(&users).unwrap());
        assert!(shown.starts_with("Users { known: 2, .. }") && !shown.contains("hunter2"), "{shown}");
    }
}
