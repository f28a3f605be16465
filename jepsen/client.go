// What a client does: one call to one node's admin API over HTTPS, with an
// admin's certificate, and what its outcome means.
//
// The whole worth of a history rests on this reading. A write is *done* on 2xx,
// *refused* on 404, 409 and 412, *failed* when the product says that it was
// surely not done (503) or the connection was never made. Everything else is
// *unknown*: it may have been done, be done later, or never.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type outcome int

const (
	done outcome = iota
	refused
	failed
	unknown
)

func (o outcome) String() string {
	return [...]string{"done", "refused", "failed", "unknown"}[o]
}

const (
	callLimit  = 4 * time.Second // longer than any wait of the node itself
	retryLimit = 5 * time.Second
)

type answer struct {
	outcome  outcome
	status   int
	body     []byte
	revision uint64 // ETag, or "revision" of what was applied
	node     string // that answered
}

// caller holds the admin's credentials and a connection pool for each node.
type caller struct {
	pools map[string]*http.Client
}

// newCaller reads the admin.yaml of the founder: a JSON-like tree with PEM
// blocks, of which only those matter here.
func newCaller(adminYaml string, nodes []*node) (*caller, error) {
	text, err := os.ReadFile(adminYaml)
	if err != nil {
		return nil, err
	}
	blocks := pemBlocks(string(text))
	if blocks["ca"] == "" || blocks["certificate"] == "" || blocks["key"] == "" {
		return nil, fmt.Errorf("%s lacks ca, certificate or key", filepath.Base(adminYaml))
	}
	pair, err := tls.X509KeyPair([]byte(blocks["certificate"]), []byte(blocks["key"]))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(blocks["ca"])) {
		return nil, errors.New("the cluster's CA does not parse")
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		// Nodes are named by URI, which Go does not match: the chain is checked by hand.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			return err
		},
	}
	c := &caller{pools: map[string]*http.Client{}}
	for _, n := range nodes {
		dialer := &net.Dialer{Timeout: time.Second}
		c.pools[n.name] = &http.Client{Transport: &http.Transport{
			DialContext:         dialer.DialContext,
			TLSClientConfig:     config,
			MaxIdleConnsPerHost: 64,
			DisableCompression:  true,
		}}
	}
	return c, nil
}

// pemBlocks finds "key: |" followed by indented lines.
func pemBlocks(text string) map[string]string {
	blocks := map[string]string{}
	name := ""
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, " ") && name != "" {
			blocks[name] += strings.TrimSpace(line) + "\n"
			continue
		}
		name = ""
		if i := strings.Index(line, ": |"); i > 0 && !strings.HasPrefix(line, " ") {
			name = line[:i]
		}
	}
	return blocks
}

func classify(status int) outcome {
	switch {
	case status >= 200 && status < 300:
		return done
	case status == 404 || status == 409 || status == 412:
		return refused
	case status == 503 || status == 429 || status == 400 || status == 401 || status == 403 || status == 405 ||
		status == 413 || status == 422:
		return failed
	}
	return unknown
}

// classifyError: what was never sent is surely not done. The library repeats some requests by
// itself, so that a failed dial may be the second try: `wrote` tells of any.
func classifyError(err error, wrote bool) outcome {
	var op *net.OpError
	if !wrote && errors.As(err, &op) && op.Op == "dial" {
		return failed
	}
	return unknown
}

// call asks once. Reads have no body and no key.
func (c *caller) call(n *node, method, path, body string, header map[string]string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	var wrote int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { atomic.StoreInt32(&wrote, 1) }})
	var reader io.Reader
	if body != "" {
		reader = io.NopCloser(bytes.NewReader([]byte(body))) // cannot be read again, so is not sent again
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://"+n.admin+path, reader)
	if err != nil {
		return answer{outcome: failed, node: n.name, body: []byte(err.Error())}
	}
	if body != "" {
		request.ContentLength = int64(len(body))
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := c.pools[n.name].Do(request)
	if err != nil {
		return answer{outcome: classifyError(err, atomic.LoadInt32(&wrote) != 0), node: n.name, body: []byte(err.Error())}
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{outcome: unknown, node: n.name, body: []byte(err.Error())}
	}
	a := answer{outcome: classify(response.StatusCode), status: response.StatusCode, body: got, node: n.name}
	a.revision, _ = strconv.ParseUint(strings.Trim(response.Header.Get("Etag"), `"`), 10, 64)
	return a
}

// write asks with an Idempotency-Key, and again with the same one, at any node,
// while the outcome is unknown: an answer then must be that of one single try.
//
// isFinal: the write names a revision. One that is passed by never comes back, so that a
// refusal ends the matter, the first try's too. Any other refusal says nothing about a first
// try that may still be on its way.
func (c *caller) write(random *rand.Rand, nodes []*node, home int, method, path, body string,
	header map[string]string, isFinal bool) answer {
	with := map[string]string{"Idempotency-Key": fmt.Sprintf("%016x%016x", random.Uint64(), random.Uint64())}
	for name, value := range header {
		with[name] = value
	}
	began := time.Now()
	first := c.call(nodes[home], method, path, body, with)
	last := first
	for last.outcome == unknown && time.Since(began) < retryLimit && random.Intn(4) > 0 {
		again := c.call(nodes[random.Intn(len(nodes))], method, path, body, with)
		if again.outcome == done || (again.outcome == refused && isFinal) {
			last = again
		}
	}
	if last.outcome == done && method == "POST" {
		var applied struct {
			Revision string `json:"revision"`
		}
		if json.Unmarshal(last.body, &applied) == nil {
			last.revision, _ = strconv.ParseUint(applied.Revision, 10, 64)
		}
	}
	return last
}
