//! One GET to a gate's admin port.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// An answer at most.
const MAX_BYTES: usize = 256 << 20;

/// The answer's body, which has to be there within `limit`.
///
/// # Errors
/// If nobody answers, or the answer is not 200; says what to check.
pub(super) async fn get(admin: &str, path: &str, limit: Duration) -> Result<String> {
    let (url, status, text) = answer(admin, path, limit).await?;
    if !status.is_success() {
        let hint = if status.as_u16() == 404 { "; is this the gate's admin.address?" } else { "" };
        bail!("{url} answered {status}: {}{hint}", text.trim());
    }
    Ok(text)
}

/// What was asked, the status of the answer and its body, whatever the status.
///
/// # Errors
/// If nobody answers within `limit`; says what to check.
pub(super) async fn answer(admin: &str, path: &str, limit: Duration) -> Result<(String, StatusCode, String)> {
    // as `host:port`, too
    let scheme = if admin.contains("://") { "" } else { "http://" };
    let url = format!("{scheme}{}{path}", admin.trim_end_matches('/'));
    let uri: Uri = url.parse().with_context(|| format!("`{admin}` is not a URL"))?;
    ensure!(uri.scheme_str() == Some("http"), "`{admin}` must start with http://");
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let asked = async {
        let response = client.get(uri).await.with_context(|| {
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
