#include "vps/telegram/http_proxy.h"

enum { PROXY_AUTHENTICATION_REQUIRED = 407 };

/* One that is set by name is for every request: the environment's exceptions are not for it. */
bool http_proxy_set(CURL *easy, const char *proxy)
{
    return !proxy[0] || (!curl_easy_setopt(easy, CURLOPT_PROXY, proxy) &&
                         !curl_easy_setopt(easy, CURLOPT_NOPROXY, ""));
}

static bool wants_password(CURL *easy)
{
    long connect_status = 0, status = 0, socks = 0;
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_PROXY_ERROR, &socks);
    return connect_status == PROXY_AUTHENTICATION_REQUIRED ||
           status == PROXY_AUTHENTICATION_REQUIRED || socks == CURLPX_NO_AUTH ||
           socks == CURLPX_USER_REJECTED;
}

const char *http_proxy_trouble(CURL *easy, CURLcode code)
{
    long used = 0, connect_status = 0;
    curl_easy_getinfo(easy, CURLINFO_USED_PROXY, &used);
    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (!used && code != CURLE_COULDNT_RESOLVE_PROXY) {
        return NULL;
    }
    if (wants_password(easy)) {
        return "the proxy does not accept the user name or password";
    }
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "the proxy's name does not resolve";
    case CURLE_COULDNT_CONNECT:
        return connect_status ? "the proxy cannot reach the server" : "the proxy cannot be reached";
    case CURLE_PROXY:
        return "the proxy cannot reach the server, or is a different kind of proxy than the "
               "setting says";
    case CURLE_OPERATION_TIMEDOUT:
        return "no answer in time through the proxy";
    default:
        return connect_status >= 400 ? "the proxy does not let requests to the server through"
                                     : NULL;
    }
}
