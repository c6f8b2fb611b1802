//! One GET to a gate's admin port.

mod options;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::AUTHORIZATION;
use hyper::http::uri::Authority;
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

pub(super) use self::options::Admin;
use crate::config::shown_url;

/// An answer at most.
const MAX_BYTES: usize = 256 << 20;

/// Where a gate's admin port is by itself.
const ADMIN: &str = "http://127.0.0.1:9202";

/// Where an admin port is, as it was given: a URL, or host and port.
#[derive(Clone, Debug)]
struct Url(String);

impl FromStr for Url {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let scheme = if given.contains("://") { "" } else { "http://" };
        let url = format!("{scheme}{given}");
        let example = format!("; expected something such as {ADMIN}");
        let uri: Uri = url.parse().map_err(|error| format!("it is not a URL: {error}{example}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(format!("it must start with http:// or https://{example}"));
        }
        let authority = uri.authority().map_or("", Authority::as_str);
        if authority.contains('@') {
            return Err(format!(
                "it takes no user and password; give --admin-user and --admin-password-file{example}"
            ));
        }
        // what stands behind an IPv6 address in brackets, or behind a name
        let behind = authority.rsplit(']').next().unwrap_or_default();
        let port = behind.split_once(':').map(|(_, port)| port.parse::<u16>().unwrap_or(0));
        if port == Some(0) {
            return Err(format!("its port is not a number from 1 to 65535{example}"));
        }
        if uri.query().is_some() || given.contains('#') {
            return Err(format!("what is asked for is added to it, so it has no `?` and no `#`{example}"));
        }
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }
}

/// As it is told: a part of its path may be a credential.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_url(&self.0))
    }
}

/// The answer's body, which has to be there within `limit`.
///
/// # Errors
/// If nobody answers, or the answer is not 200; says what to check.
pub(super) async fn get(admin: &Admin, path: &str, limit: Duration) -> Result<String> {
    let (url, status, text) = answer(admin, path, limit).await?;
    if !status.is_success() {
        let hint = match status {
            StatusCode::NOT_FOUND => "; is this the gate's admin.address?",
            StatusCode::UNAUTHORIZED => {
                "; give --admin-user and --admin-password-file, or --admin-token-file, of a user of its admin.auth"
            }
            _ => "",
        };
        bail!("{url} answered {status}: {}{hint}", text.trim());
    }
    Ok(text)
}

/// What was asked, the status of the answer and its body, whatever the status.
///
/// # Errors
/// If nobody answers within `limit`; says what to check.
pub(super) async fn answer(
    admin: &Admin,
    path: &str,
    limit: Duration,
) -> Result<(String, StatusCode, String)> {
    let (request, client) = (request(admin, path)?, client(admin)?);
    let Admin { url: admin, .. } = admin;
    let url = format!("{admin}{path}");
    let asked = async {
        let response = client.request(request).await.with_context(|| {
            format!("no answer from {admin}; is a gate running there, with this as its admin.address?")
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
        Ok((url, status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::time::timeout(limit, asked)
        .await
        .with_context(|| format!("no answer from {admin} within {limit:?}"))?
}

fn request(admin: &Admin, path: &str) -> Result<Request<Empty<Bytes>>> {
    let uri: Uri = format!("{}{path}", admin.url.0)
        .parse()
        .with_context(|| format!("`{}{path}` is not a URL", admin.url))?;
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    if let Some(authorization) = admin.authorization()? {
        request.headers_mut().insert(AUTHORIZATION, authorization);
    }
    Ok(request)
}

fn client(admin: &Admin) -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(admin.tls()?).https_or_http();
    Ok(Client::builder(TokioExecutor::new()).build(connector.enable_http1().build()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_port_is_a_url_or_host_and_port() {
        for (given, url) in [
            (ADMIN, ADMIN),
            ("127.0.0.1:9202", ADMIN),
            ("http://gate:9202/", "http://gate:9202"),
            ("gate", "http://gate"),
            ("[::1]:9202", "http://[::1]:9202"),
            ("http://[::1]", "http://[::1]"),
            ("https://gate:9202", "https://gate:9202"),
            // behind a proxy
            ("http://proxy/gates/a", "http://proxy/gates/a"),
        ] {
            assert_eq!(given.parse::<Url>().unwrap().0, url);
        }
    }

    #[test]
    fn an_unknown_part_of_its_path_is_told_to_nobody() {
        for (given, told) in [
            ("http://proxy:1/s3cr3t", "http://proxy:1/<secret>"),
            ("http://proxy:1/api/v1", "http://proxy:1/api/v1"),
            ("[::1]:9202", "http://[::1]:9202"),
        ] {
            assert_eq!(given.parse::<Url>().unwrap().to_string(), told);
        }
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        for (given, why) in [
            ("", "it is not a URL"),
            ("http://", "it is not a URL"),
            ("a gate", "it is not a URL"),
            ("ftp://gate", "it must start with http:// or https://"),
            ("http://user:password@gate:9202", "no user and password"),
            ("gate:", "its port is not a number from 1 to 65535"),
            ("gate:0", "its port"),
            ("gate:99999", "its port"),
            ("[::1]:99999", "its port"),
            ("http://gate/?by=metric", "no `?` and no `#`"),
            ("gate#a", "no `?` and no `#`"),
        ] {
            let said = given.parse::<Url>().unwrap_err();
            assert!(said.contains(why), "{given}: {said}");
            assert!(said.ends_with("expected something such as http://127.0.0.1:9202"), "{said}");
        }
    }
}
