//! Bearer tokens by OAuth 2.0 client credentials (RFC 6749, section 4.4): asked for when the first is needed, renewed before they end.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::secrets::encoded;
use super::{EgressError, response, transport};
use crate::config::{OAuth2, Upstream};
use crate::telemetry::EgressMetrics;

/// A server that gives tokens answers within this, or does not.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer with a token is far smaller.
const MOST_BYTES: usize = 64 << 10;
/// A token whose end is not said is renewed this often.
const UNSAID: Duration = Duration::from_secs(300);
/// A token is renewed so long before its end, and a tenth of its life where that is less;
const AHEAD: Duration = Duration::from_secs(60);
/// and where that fails, again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// A token that was given.
struct Token {
    header: HeaderValue,
    text: String,
    /// Since when there is this one.
    since: Instant,
    /// When another is asked for.
    renew: Instant,
    /// When it is of no use any more.
    ends: Instant,
}

/// The tokens of one upstream. One at a time.
pub(super) struct Tokens {
    settings: OAuth2,
    uri: Uri,
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    current: ArcSwapOption<Token>,
    /// Held by whoever asks for the next; when asking last failed, and why.
    asking: Mutex<Option<(Instant, String)>>,
    metrics: Arc<EgressMetrics>,
}

/// What the server says.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    token_type: String,
    #[serde(default)]
    expires_in: Option<Seconds>,
}

/// Some servers write the number as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

impl Tokens {
    pub(super) fn new(
        settings: &OAuth2,
        upstream: &Upstream,
        metrics: Arc<EgressMetrics>,
    ) -> Result<Self, EgressError> {
        let uri: Uri =
            settings.token_url.parse().map_err(|_| EgressError::Url("oauth2.token_url is no URL"))?;
        let is_https = uri.scheme_str() == Some("https");
        let connector = transport::connector(&settings.tls, &upstream.name, PATIENCE, is_https)?;
        let http = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        let (current, asking) = (ArcSwapOption::empty(), Mutex::new(None));
        Ok(Self { settings: settings.clone(), uri, http, current, asking, metrics })
    }

    /// The `Authorization` of a request. Asks for a token where there is none; one that is about to end is renewed meanwhile.
    pub(super) async fn header(self: &Arc<Self>) -> Result<HeaderValue, String> {
        let now = Instant::now();
        if let Some(token) = &*self.current.load()
            && now < token.ends
        {
            if now >= token.renew
                && let Ok(asking) = self.asking.try_lock()
                && asking.as_ref().is_none_or(|(failed, _)| now >= *failed + AGAIN)
            {
                drop(asking);
                let tokens = Arc::clone(self);
                tokio::spawn(async move { drop(tokens.renew(now).await) });
            }
            return Ok(token.header.clone());
        }
        self.renew(now).await
    }

    /// The upstream does not take this one: whether another may do. One that was given just now is no better the next time.
    pub(super) fn drop_refused(&self, header: &HeaderValue) -> bool {
        let current = self.current.load_full();
        let is_other = current.as_ref().is_none_or(|token| token.header != header);
        let is_new = current.as_ref().is_some_and(|token| Instant::now() < token.since + AGAIN);
        if is_other || is_new {
            return is_other;
        }
        self.current.compare_and_swap(&current, None);
        true
    }

    /// What must not be seen in a log or an answer.
    pub(super) fn secret(&self) -> Option<String> {
        self.current.load().as_ref().map(|token| token.text.clone())
    }

    /// Asks for a token, unless somebody got one since `began`, or was given none: whoever waited meanwhile does not ask again.
    async fn renew(&self, began: Instant) -> Result<HeaderValue, String> {
        let mut failed = self.asking.lock().await;
        if let Some(token) = &*self.current.load()
            && began < token.renew
        {
            return Ok(token.header.clone());
        }
        if let Some((_, why)) = failed.as_ref().filter(|(at, _)| *at > began) {
            return Err(why.clone());
        }
        match self.ask().await {
            Ok(token) => {
                let header = token.header.clone();
                self.current.store(Some(Arc::new(token)));
                *failed = None;
                self.metrics.tokens(true);
                Ok(header)
            }
            Err(why) => {
                let why = format!("no token could be had for it (oauth2): {why}");
                *failed = Some((Instant::now(), why.clone()));
                self.metrics.tokens(false);
                Err(why)
            }
        }
    }

    async fn ask(&self) -> Result<Token, String> {
        let asked = Instant::now();
        // as the RFC prefers it; servers that want it otherwise say 400 or 401
        let (status, body) = self.post(true).await?;
        let (status, body) = match status {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => self.post(false).await?,
            _ => (status, body),
        };
        if !status.is_success() {
            let OAuth2 { client_id, client_secret, .. } = &self.settings;
            let secrets = vec![client_secret.expose().to_owned(), encoded(client_id, client_secret.expose())];
            return Err(format!(
                "the server answered {}: {}",
                status.as_u16(),
                response::excerpt(&body, secrets)
            ));
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| "the server's answer has no access_token".to_owned())?;
        if !answer.token_type.is_empty() && !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err("the server gives tokens that are no bearer tokens".to_owned());
        }
        let life = match &answer.expires_in {
            None => None,
            Some(Seconds::Number(seconds)) => Some(*seconds),
            Some(Seconds::Text(text)) => text.parse().ok(),
        };
        let life = life.filter(|seconds| *seconds > 0.0 && *seconds < 1e9).map(Duration::from_secs_f64);
        let mut header = HeaderValue::from_str(&format!("Bearer {}", answer.access_token))
            .map_err(|_| "the token cannot be sent in a header".to_owned())?;
        header.set_sensitive(true);
        let far = Duration::from_secs(365 * 24 * 3600);
        let renew = asked + life.map_or(UNSAID, |life| life - AHEAD.min(life / 10));
        Ok(Token {
            header,
            text: answer.access_token,
            since: asked,
            renew,
            ends: asked + life.unwrap_or(far),
        })
    }

    /// Asks once. `basic`: credentials stand in the header, else in the form.
    async fn post(&self, basic: bool) -> Result<(StatusCode, Vec<u8>), String> {
        let request = self.request(basic)?;
        let exchange = async {
            let response = self.http.request(request).await.map_err(|error| innermost(&error))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|_| "the server's answer breaks off, or is too long".to_owned())?;
            Ok((status, body.to_bytes().to_vec()))
        };
        timeout(PATIENCE, exchange)
            .await
            .map_err(|_| format!("the server does not answer within {PATIENCE:?}"))?
    }

    fn request(&self, basic: bool) -> Result<Request<Full<Bytes>>, String> {
        let OAuth2 { client_id, client_secret, scopes, endpoint_params, .. } = &self.settings;
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !scopes.is_empty() {
            form.append_pair("scope", &scopes.join(" "));
        }
        for (name, value) in endpoint_params {
            form.append_pair(name, value.expose());
        }
        let mut request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json");
        if basic {
            // both are encoded as in a form first (RFC 6749, section 2.3.1)
            let [id, secret] = [client_id, client_secret.expose()].map(form_encoded);
            request = request.header(AUTHORIZATION, format!("Basic {}", encoded(&id, &secret)));
        } else {
            form.append_pair("client_id", client_id);
            form.append_pair("client_secret", client_secret.expose());
        }
        request.body(Full::from(form.finish())).map_err(|error| error.to_string())
    }
}

fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
