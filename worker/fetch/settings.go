package fetch

import (
	"fmt"
	"time"

	"github.com/firesteel/firesteel/config"
)

// settings are the Spark properties of one fetch: the driver's go before the worker's.
type settings struct {
	driver map[string]string
	worker func(key string) (string, bool)
}

func (s settings) get(key string) string {
	if v, ok := s.driver[key]; ok {
		return v
	}
	v, _ := s.worker(key)
	return v
}

const (
	fetchTimeout        = "spark.files.fetchTimeout"
	defaultFetchTimeout = time.Minute
)

// timeout is how long a server may be silent. (Spark's has this one for http only, and for connecting.)
func (s settings) timeout() (time.Duration, error) {
	v := s.get(fetchTimeout)
	if v == "" {
		return defaultFetchTimeout, nil
	}
	d, err := config.ParseTime(v, time.Second)
	if err == nil && d <= 0 {
		err = fmt.Errorf("it must be more than 0: %w", config.ErrInvalid)
	}
	if err != nil {
		return 0, fmt.Errorf("%s is %q: %w", fetchTimeout, v, err)
	}
	return d, nil
}
