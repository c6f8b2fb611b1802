//! Credentials and headers that are added for an upstream.

use super::{Checker, http};
use crate::config::at::At;
use crate::config::cited::cited;
use crate::config::position::Position;
use crate::config::raw::{RawBasicAuth, RawUpstream, SecretText};
use crate::config::{BasicAuth, Secret, UpstreamAuth};
use crate::policy::Definition;

impl Checker<'_> {
    pub(super) fn auth(&mut self, raw: &RawUpstream) -> UpstreamAuth {
        self.one_kind_of_auth(raw);
        if let Some(basic) = &raw.basic_auth {
            let checked = self.inside("basic_auth", |check| check.basic_auth(basic));
            return checked.map(UpstreamAuth::Basic).unwrap_or_default();
        }
        if let Some(oauth2) = &raw.oauth2 {
            let checked = self.inside("oauth2", |check| check.oauth2(oauth2));
            return checked.map(|checked| UpstreamAuth::OAuth2(Box::new(checked))).unwrap_or_default();
        }
        let (position, token) = match (&raw.bearer_token, &raw.bearer_token_file) {
            (Some(token), _) => (token.position, self.expand(token.position, &token.value.0)),
            (None, Some(file)) => (file.position, self.secret_file(file)),
            (None, None) => return UpstreamAuth::None,
        };
        let Some(token) = token else { return UpstreamAuth::None };
        if token.is_empty() {
            self.refuse(position, "expected a token, found nothing");
        }
        self.accept(position, http::header_value(&token));
        UpstreamAuth::Bearer(Secret::new(token))
    }

    /// Each of these sets `Authorization`; two would fight.
    fn one_kind_of_auth(&mut self, raw: &RawUpstream) {
        let forward = Some(raw.forward_authorization.position).filter(|_| raw.forward_authorization.value);
        let mut given: Vec<(Position, &str)> = [
            (raw.basic_auth.as_ref().map(|at| at.position), "basic_auth"),
            (raw.bearer_token.as_ref().map(|at| at.position), "bearer_token"),
            (raw.bearer_token_file.as_ref().map(|at| at.position), "bearer_token_file"),
            (raw.oauth2.as_ref().map(|at| at.position), "oauth2"),
            (forward, "forward_authorization"),
        ]
        .into_iter()
        .filter_map(|(position, key)| position.map(|position| (position, key)))
        .collect();
        given.sort();
        if let [(first_position, first), (second_position, second), ..] = given.as_slice() {
            let message = format!(
                "`{second}` and `{first}` (line {}) both set the `Authorization` header; choose one",
                first_position.line
            );
            self.refuse(*second_position, message);
        }
    }

    /// What is aggregated goes out in requests of its own. Where the sender's credentials are the only ones, they have none.
    pub(super) fn credentials_for_aggregates(
        &mut self,
        raw: Option<&At<Vec<At<RawUpstream>>>>,
        policies: &[Definition],
    ) {
        let aggregating = policies.iter().find(|policy| policy.enforced_aggregation().is_some());
        let forwarding =
            raw.and_then(|raw| raw.value.iter().find(|one| one.value.forward_authorization.value));
        if let (Some(policy), Some(upstream)) = (aggregating, forwarding) {
            let message = format!(
                "policy `{}` aggregates, and what it makes is sent in requests of our own, which have no sender whose \
                 `Authorization` could be forwarded; give the upstream `basic_auth` or `bearer_token` instead, or the \
                 policy `mode: preview`",
                policy.name
            );
            self.refuse(upstream.value.forward_authorization.position, message);
        }
    }

    fn basic_auth(&mut self, at: &At<RawBasicAuth>) -> Option<BasicAuth> {
        let raw = &at.value;
        let inline = raw.username.as_ref().map(|at| (at.position, at.value.as_str()));
        let username = self.inline_or_file(at.position, "username", inline, raw.username_file.as_ref());
        let inline = raw.password.as_ref().map(|at| (at.position, at.value.0.as_str()));
        let password = self.inline_or_file(at.position, "password", inline, raw.password_file.as_ref());
        if let Some((place, _)) = username.as_ref().filter(|(_, user)| user.is_empty() || user.contains(':'))
        {
            self.refuse(*place, "a user name is not empty and holds no `:`");
        }
        Some(BasicAuth { username: username?.1, password: Secret::new(password?.1) })
    }

    /// The value of `key`, or of `key_file`; exactly one must be given.
    pub(super) fn inline_or_file(
        &mut self,
        parent: Position,
        key: &str,
        inline: Option<(Position, &str)>,
        file: Option<&At<String>>,
    ) -> Option<(Position, String)> {
        match (inline, file) {
            (Some((position, text)), None) => Some((position, self.expand(position, text)?)),
            (None, Some(file)) => Some((file.position, self.secret_file(file)?)),
            (Some(_), Some(file)) => {
                self.refuse(file.position, format!("`{key}` and `{key}_file` are both given; choose one"));
                None
            }
            (None, None) => {
                let file = format!("{key}_file");
                if !self.could_not_read(&[key, &file]) {
                    self.refuse(parent, format!("`{key}` or `{file}` is missing here"));
                }
                None
            }
        }
    }

    /// `headers`, then `headers_from_files`.
    pub(super) fn headers(&mut self, raw: &RawUpstream) -> Vec<(String, Secret)> {
        let mut headers = Vec::new();
        let mut seen = Vec::new();
        for (name, value) in raw.headers.iter().flat_map(|pairs| &pairs.0) {
            let value = self.header_value(value);
            self.header(name, value, &mut seen, &mut headers);
        }
        for (name, file) in raw.headers_from_files.iter().flat_map(|pairs| &pairs.0) {
            let value = self.secret_file(file);
            let value = value.filter(|value| self.accept(file.position, http::header_value(value)).is_some());
            self.header(name, value, &mut seen, &mut headers);
        }
        headers
    }

    fn header_value(&mut self, at: &At<SecretText>) -> Option<String> {
        let value = self.expand(at.position, &at.value.0)?;
        self.accept(at.position, http::header_value(&value))?;
        Some(value)
    }

    fn header(
        &mut self,
        name: &At<String>,
        value: Option<String>,
        seen: &mut Vec<(String, Position)>,
        headers: &mut Vec<(String, Secret)>,
    ) {
        let Some(lower) = self.accept(name.position, http::header_name(&name.value)) else { return };
        if let Some((_, first)) = seen.iter().find(|(known, _)| *known == lower) {
            let message =
                format!("the header `{}` is given twice, first in line {}", cited(&name.value), first.line);
            self.refuse(name.position, message);
            return;
        }
        seen.push((lower.clone(), name.position));
        headers.extend(value.map(|value| (lower, Secret::new(value))));
    }
}
