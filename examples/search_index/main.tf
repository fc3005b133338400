# terraform init && terraform apply -var stream_arn=... -var opensearch_url=https://...
# First: pip install -r requirements.txt -t build && cp search_index.py build/

terraform {
  required_version = ">= 1.5"
  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = ">= 2.4"
    }
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

variable "stream_arn" {
  type        = string
  description = "The stream of the table to index, with NEW_AND_OLD_IMAGES"
}

variable "opensearch_url" {
  type        = string
  description = "Where the function reaches OpenSearch"
}

data "archive_file" "function" {
  type        = "zip"
  source_dir  = "${path.module}/build"
  output_path = "${path.module}/function.zip"
}

resource "aws_lambda_function" "index" {
  function_name    = "search-index"
  filename         = data.archive_file.function.output_path
  source_code_hash = data.archive_file.function.output_base64sha256
  handler          = "search_index.handler"
  runtime          = "python3.13"
  architectures    = ["arm64"]
  memory_size      = 256
  timeout          = 60
  role             = aws_iam_role.index.arn

  environment {
    variables = {
      OPENSEARCH_URL = var.opensearch_url
    }
  }

  logging_config {
    log_format = "JSON"
  }
}

resource "aws_lambda_event_source_mapping" "stream" {
  event_source_arn                   = var.stream_arn
  function_name                      = aws_lambda_function.index.arn
  starting_position                  = "LATEST"
  batch_size                         = 100
  maximum_batching_window_in_seconds = 1
  maximum_retry_attempts             = 20
  # As report_batch_item_failures=True in the code: each needs the other.
  function_response_types = ["ReportBatchItemFailures"]

  # What `ddbstream filters search_index:router --key PK --key SK --format terraform` prints.
  filter_criteria {
    filter {
      pattern = jsonencode({ dynamodb = { Keys = { PK = { S = [{ prefix = "Product#" }] } } } })
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failed.arn
    }
  }
}

resource "aws_sqs_queue" "failed" {
  name                      = "search-index-failed"
  message_retention_seconds = 1209600 # 14 days, the longest
  sqs_managed_sse_enabled   = true
}

resource "aws_iam_role" "index" {
  name = "search-index"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "index" {
  role = aws_iam_role.index.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "dynamodb:DescribeStream",
          "dynamodb:GetRecords",
          "dynamodb:GetShardIterator",
          "dynamodb:ListStreams",
        ]
        Resource = var.stream_arn
      },
      {
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = aws_sqs_queue.failed.arn
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:aws:logs:*:*:*"
      },
    ]
  })
}
