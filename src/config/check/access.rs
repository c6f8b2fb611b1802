//! `auth` and `tls` of a port.

use super::{Checker, http};
use crate::config::at::At;
use crate::config::position::Position;
use crate::config::raw::{
    Login, RawAdminUser, RawAuth, RawServerTls, RawUpstream, RawUser, SecretText, Section,
};
use crate::config::{AdminUser, BasicAuth, Credentials, Role, Secret, ServerTls, User, WriteUser};
use crate::tls::{self, Part};

/// A tenant's name at most, bytes, as of a request.
const TENANT_MAX_BYTES: usize = 256;
/// Each request is compared with all of them.
const MAX_USERS: usize = 1000;

impl Checker<'_> {
    pub(super) fn write_users(&mut self, auth: &Section<RawAuth<RawUser>>) -> Option<Vec<WriteUser>> {
        self.users(auth, "tenant", RawUser::login, |check, user| {
            user.tenant.as_ref().and_then(|tenant| check.bound_tenant(tenant))
        })
    }

    pub(super) fn admin_users(&mut self, auth: &Section<RawAuth<RawAdminUser>>) -> Option<Vec<AdminUser>> {
        let roles = [("read", Role::Read), ("change", Role::Change)];
        self.users(auth, "role", RawAdminUser::login, |check, user| {
            check.choice(&user.role, &roles).unwrap_or_default()
        })
    }

    /// All users of a port; `None`: it is open. `key` is the one that says what each may.
    fn users<U, G: PartialEq>(
        &mut self,
        auth: &Section<RawAuth<U>>,
        key: &str,
        login: fn(&U) -> Login<'_>,
        grant: impl Fn(&mut Self, &U) -> G,
    ) -> Option<Vec<User<G>>> {
        let auth = auth.given()?;
        let raw = auth.value.as_ref().map(|auth| auth.users.as_slice()).unwrap_or_default();
        if raw.is_empty() && !self.could_not_read(&["auth"]) {
            let message =
                "`auth` names nobody; give `users`, or leave `auth` out: then the port is open to everybody";
            self.refuse(auth.position, message);
        } else if raw.len() > MAX_USERS {
            self.refuse(auth.position, format!("{} users; expected {MAX_USERS} at most", raw.len()));
        }
        let mut users: Vec<(Position, User<G>)> = Vec::new();
        for (number, at) in raw.iter().enumerate() {
            let user = self.inside(&format!("auth.users.{number}"), |check| {
                let credentials = check.credentials(at.position, &login(&at.value));
                let grant = grant(check, &at.value);
                credentials.map(|credentials| User { credentials, grant })
            });
            let Some(user) = user else { continue };
            let same = users.iter().find(|(_, other)| other.credentials == user.credentials);
            // what stands in the place of a secret is the same for all
            let same = same.filter(|(_, other)| other.grant != user.grant && self.secrets.are_asked_for());
            if let Some((first, _)) = same {
                let line = first.line;
                self.refuse(
                    at.position,
                    format!("the same credentials have another `{key}` above (line {line})"),
                );
            }
            users.push((at.position, user));
        }
        Some(users.into_iter().map(|(_, user)| user).collect())
    }

    fn credentials(&mut self, position: Position, login: &Login<'_>) -> Option<Credentials> {
        let basic = login.username.is_some() || login.password.is_some() || login.password_file.is_some();
        let bearer = login.bearer_token.is_some() || login.bearer_token_file.is_some();
        match (basic, bearer) {
            (true, false) => self.name_and_password(position, login).map(Credentials::Basic),
            (false, true) => self.token(position, login).map(Credentials::Bearer),
            (true, true) => {
                self.refuse(position, "a user has a `username` and a password, or a bearer token, not both");
                None
            }
            (false, false) => {
                let keys = ["username", "password", "password_file", "bearer_token", "bearer_token_file"];
                if !self.could_not_read(&keys) {
                    let message = "a user needs `username` and `password_file`, or `bearer_token_file`";
                    self.refuse(position, message);
                }
                None
            }
        }
    }

    fn name_and_password(&mut self, position: Position, login: &Login<'_>) -> Option<BasicAuth> {
        let written = self.required(position, "username", login.username);
        let username = written.and_then(|at| self.expand(at.position, &at.value));
        let password = inline(login.password);
        let password = self.inline_or_file(position, "password", password, login.password_file);
        if let (Some(at), Some(name)) = (written, &username)
            && (name.is_empty() || name.contains(':') || name.contains(char::is_control))
        {
            self.refuse(at.position, "a user name is not empty and holds no `:`");
        }
        let (place, password) = password?;
        if password.is_empty() {
            self.refuse(place, "expected a password, found nothing");
        }
        Some(BasicAuth { username: username?, password: Secret::new(password) })
    }

    fn token(&mut self, position: Position, login: &Login<'_>) -> Option<Secret> {
        let token = inline(login.bearer_token);
        let (place, token) = self.inline_or_file(position, "bearer_token", token, login.bearer_token_file)?;
        if token.is_empty() {
            self.refuse(place, "expected a token, found nothing");
        } else if !token.bytes().all(|b| b.is_ascii_graphic()) {
            self.refuse(place, "a token is made of letters, digits and signs of ASCII, without blanks");
        }
        Some(Secret::new(token))
    }

    fn bound_tenant(&mut self, at: &At<String>) -> Option<String> {
        let name = at.value.as_str();
        let fits = (1..=TENANT_MAX_BYTES).contains(&name.len()) && name.trim() == name;
        if !fits || http::header_value(name).is_err() {
            self.refuse(at.position, "a tenant is a text of 1 to 256 bytes that a header can hold");
        }
        Some(name.to_owned())
    }

    /// Whoever is asked for credentials of ours has none of the upstream's to pass on.
    pub(super) fn authorization_is_for_us(
        &mut self,
        auth: &Section<RawAuth<RawUser>>,
        upstreams: Option<&At<Vec<At<RawUpstream>>>>,
    ) {
        let upstreams = upstreams.map(|upstreams| upstreams.value.as_slice()).unwrap_or_default();
        let forwarding = upstreams.iter().find(|one| one.value.forward_authorization.value);
        if let (Some(auth), Some(upstream)) = (auth.given(), forwarding) {
            let message = format!(
                "the `Authorization` of senders is for this gate (`listen.auth`, line {}) and is not passed on; give the \
                 upstream `basic_auth` or `bearer_token`",
                auth.position.line
            );
            self.refuse(upstream.value.forward_authorization.position, message);
        }
    }

    /// The TLS of a port; `None`: it has none. The files are read here, and found to go together.
    pub(super) fn server_tls(&mut self, tls: &Section<RawServerTls>) -> Option<ServerTls> {
        let at = tls.given()?;
        let Some(raw) = &at.value else {
            let message =
                "`tls` is empty; give `cert_file` and `key_file`, or leave `tls` out: then the port has none";
            self.refuse(at.position, message);
            return None;
        };
        self.inside("tls", |check| {
            let cert_file = check.required(at.position, "cert_file", raw.cert_file.as_ref());
            let key_file = check.required(at.position, "key_file", raw.key_file.as_ref());
            let certificate = cert_file.and_then(|file| check.pem_file(file));
            let key = key_file.and_then(|file| check.pem_file(file));
            let client_ca = raw.client_ca_file.as_ref().map(|file| check.pem_file(file));
            let tls = ServerTls {
                certificate: certificate?,
                key: key?,
                client_ca: client_ca.map_or(Some(None), |ca| ca.map(Some))?,
            };
            if check.secrets.are_asked_for()
                && let Err(unusable) = tls::server(tls.pem(), &[])
            {
                let file = match unusable.part {
                    Part::Certificate => cert_file,
                    Part::Key => key_file,
                    Part::ClientCa => raw.client_ca_file.as_ref(),
                };
                let place = file.map_or(at.position, |file| file.position);
                check.refuse(place, format!("the file is of no use here: {unusable}"));
            }
            Some(tls)
        })
    }
}

fn inline(at: Option<&At<SecretText>>) -> Option<(Position, &str)> {
    at.map(|at| (at.position, at.value.0.as_str()))
}
