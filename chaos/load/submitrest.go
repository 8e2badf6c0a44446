package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// asker speaks REST to one master. It has a connection of its own, or a new one for each request.
type asker struct {
	url  string
	http *http.Client
}

func newAsker(url string, fresh bool) *asker {
	return &asker{url: url + "/v1/submissions/", http: &http.Client{Transport: &http.Transport{DisableKeepAlives: fresh, MaxIdleConnsPerHost: 1}}}
}

func (a *asker) close() { a.http.CloseIdleConnections() }

// answered is what a server says, as far as it matters here.
type answered struct {
	Success      bool
	Message      string
	SubmissionID string
	DriverState  string
}

var errRefused = errors.New("the master refuses")

func (a *asker) ask(ctx context.Context, method, path string, body []byte) (out answered, err error) {
	r, err := http.NewRequestWithContext(ctx, method, a.url+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body) // to its end, or the connection is not used again
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return out, fmt.Errorf("read the answer of %s, %s: %w", a.url+path, resp.Status, err)
	}
	if !out.Success {
		return out, fmt.Errorf("%s: %w: %s", a.url+path, errRefused, out.Message)
	}
	return out, nil
}

// status is a driver's state.
func (a *asker) status(ctx context.Context, id string) (string, error) {
	out, err := a.ask(ctx, http.MethodGet, "status/"+id, nil)
	return out.DriverState, err
}

// restClient submits by REST, to one master.
type restClient struct {
	*asker
	master int
	body   string
}

func (s *submitting) restClient(n int) *restClient {
	i := n % len(s.REST)
	return &restClient{asker: newAsker(s.REST[i], s.Fresh), master: i, body: submissionBody(s.Version, max(s.Cores, 1))}
}

// numberHere stands in a body where every submission has a number of its own.
const numberHere = "@number@"

// submissionBody is as large as one of spark-submit's, and says what one of its says.
func submissionBody(version string, cores int) string {
	body, _ := json.Marshal(map[string]any{ // text in maps: it cannot fail
		"action": "CreateSubmissionRequest", "clientSparkVersion": version, "appResource": "file:/opt/jobs/etl-assembly-1.4.2.jar",
		"mainClass": "org.example.etl.DailyAggregation", "appArgs": []string{"--date", "2026-01-01", "--partitions", "200", numberHere},
		"environmentVariables": map[string]string{"SPARK_ENV_LOADED": "1", "SPARK_SCALA_VERSION": ""},
		"sparkProperties": map[string]string{
			"spark.app.name": "daily-aggregation", "spark.app.submitTime": "17672256" + numberHere, "spark.jars": "file:/opt/jobs/etl-assembly-1.4.2.jar",
			"spark.master": "spark://127.0.0.1:6066", "spark.submit.deployMode": "cluster", "spark.driver.cores": strconv.Itoa(cores), "spark.driver.memory": "512m",
			"spark.driver.supervise": "false", "spark.executor.memory": "2g", "spark.executor.cores": "2", "spark.cores.max": "8",
			"spark.eventLog.enabled": "true", "spark.eventLog.dir": "file:/var/log/spark-events", "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
			"spark.sql.shuffle.partitions": "200",
		},
	})
	return string(body)
}

func (c *restClient) submit(ctx context.Context, n int) (string, int, time.Time, error) {
	body := strings.ReplaceAll(c.body, numberHere, strconv.Itoa(n))
	out, err := c.ask(ctx, http.MethodPost, "create", []byte(body))
	return out.SubmissionID, c.master, time.Now(), err
}
